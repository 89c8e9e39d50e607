"""The results page: which figures of a run are kept, and how they are written."""

from dataclasses import replace

import pytest

from ctxlab.core.result import parse
from scripts.results.__main__ import FOLDER, PAGE
from scripts.results.figures import PERCENTILE, Figures
from scripts.results.jobs import SECTIONS, Job, Section
from scripts.results.page import page

RESULT = {
    "stage": "eval",
    "task": "dialogue",
    "model": "minilm",
    "strategy": "chunk",
    "seed": 1,
    "checkpoint": "minilm",
    "primary_metric": "mrr",
    "context_length": 2048,
    "metrics": {"validation": {"mrr": 0.5, "recall_at_1": 0.25, "auc": 0.9}},
    "coverage": {"validation": {"tokens": 0.5, "labels": 1.0}},
    "cost": {"train_tokens": 0, "evaluation_tokens": 1000, "train_seconds": 0.0, "evaluation_seconds": 2.5,
             "peak_memory_bytes": 3 * 2**30},
    "breakdowns": {"validation": {"overall": [
        {"figure": "recall@1", "value": 0.25, "low": 0.1, "high": 0.4},
        {"figure": "mrr", "value": 0.5, "low": 0.4, "high": 0.6},
        {"figure": "chance", "value": 0.2, "low": None, "high": None},
    ], "by_length": []}},
}  # fmt: skip
MACHINE = {"processor": "CPU", "instructions": "AVX2", "cores": 2, "torch": "2", "threads": 2}


def section(floor=None, metrics=("mrr", "recall_at_1")):
    return Section("Title", "corpus", "About.", metrics, (Job("job", "chunk", "eval task=x", floor),), ("chance",))


def kept(metrics=("mrr", "recall_at_1")):
    return Figures.of(parse(RESULT, "here"), MACHINE, metrics, ("chance",))


@pytest.mark.parametrize(("metric", "interval"), [("mrr", [0.4, 0.6]), ("recall_at_1", [0.1, 0.4]), ("auc", None)])
def test_the_interval_is_that_of_the_first_metric(metric, interval):
    assert kept((metric,)).interval == interval


def test_figures_come_back_from_their_file(tmp_path):
    kept().save(tmp_path / "job.json")
    assert Figures.load(tmp_path / "job.json") == kept()


@pytest.mark.parametrize(("floor", "cell"), [(None, ""), (0.5, "0.5 met"), (0.51, "0.51 missed")])
def test_a_row_has_scores_interval_cost_and_floor(floor, cell):
    text = page([section(floor)], {"job": kept()})
    assert f"| chunk | minilm | 2,048 | 0.500 | 0.250 | 0.400–0.600 | 50% | 1,000 | 2 | 3.0 GiB | {cell} |" in text
    assert "For comparison, chance: 0.200." in text
    assert "CPU, 2 cores with AVX2" in text
    assert "ctxlab eval task=x" in text


def test_older_intervals_are_marked_and_explained():
    today, older = kept(), replace(kept(), interval_method=PERCENTILE)
    assert "\\*" not in page([section()], {"job": today})
    text = page([section()], {"job": older})
    assert "0.400–0.600\\* |" in text
    assert "too narrow" in text
    assert "| – |" in page([section()], {"job": replace(today, interval=None)})


def test_jobs_without_figures_are_left_out():
    assert "Title" not in page([section()], {})
    assert "0.900" in page([section(metrics=("auc",))], {"job": replace(kept(("auc",)), interval=None)})


def test_the_page_in_the_repository_matches_its_figures():
    found = {path.stem: Figures.load(path) for path in sorted(FOLDER.glob("*.json"))}
    assert PAGE.read_text(encoding="utf-8") == page(SECTIONS, found)
    names = [job.name for part in SECTIONS for job in part.jobs]
    assert set(found) <= set(names)
    assert len(names) == len(set(names))


def rivals(*scores_and_intervals):
    """A page of one section whose strategies have these scores and intervals."""
    found = {
        f"job_{number}": replace(kept(("mrr",)), scores={"mrr": score}, interval=interval)
        for number, (score, interval) in enumerate(scores_and_intervals)
    }
    jobs = tuple(Job(name, name.replace("job_", "strategy "), "eval") for name in found)
    return page([Section("Title", None, "About.", ("mrr",), jobs, rivals=tuple(found))], found)


def test_the_page_says_which_strategy_is_worth_it_and_which_cannot_be_distinguished():
    text = rivals((0.5, [0.4, 0.6]), (0.7, [0.61, 0.8]), (0.65, [0.5, 0.75]), (0.69, None))
    assert "**Which is worth it?** strategy 1 has the highest mrr, 0.700." in text
    assert "Lower by more than the intervals over documents: strategy 0 (0.500)." in text
    assert "since the intervals overlap: strategy 3 (0.690), strategy 2 (0.650)." in text


def test_one_strategy_alone_gives_no_conclusion():
    assert "Which is worth it" not in rivals((0.5, [0.4, 0.6]))


def test_every_rival_is_a_job_of_its_section():
    for part in SECTIONS:
        assert set(part.rivals) <= {job.name for job in part.jobs}
