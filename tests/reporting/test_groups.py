"""Runs of one task and the same documents are grouped, seeds of a configuration are averaged, tasks never mixed."""

import os
from math import sqrt

import pytest
from scipy.stats import t

from ctxlab.reporting.groups import grouped
from ctxlab.reporting.run_directories import find_runs
from tests.reporting.runs import write_run


def groups(folder):
    return grouped(find_runs([folder]).runs)


def test_seeds_are_averaged_and_the_best_is_first(tmp_path):
    write_run(tmp_path / "a", found=(5, 5, 5, 5), seed=1)
    write_run(tmp_path / "b", found=(10, 10, 10, 10), seed=2)
    write_run(tmp_path / "c", found=(9, 9, 9, 9), strategy="dense")
    (group,) = groups(tmp_path)
    assert [(one.title, len(one.runs)) for one in group.candidates] == [("dense at 512", 1), ("chunk at 512", 2)]
    assert group.candidates[1].estimate == pytest.approx((2 / 3 + 1) / 2)
    assert group.num_documents == 4


def test_the_interval_of_one_seed_is_that_of_the_t_distribution_over_documents(tmp_path):
    """By hand: the jackknife of F1 over four documents, and the quantile of scipy."""
    found = (6, 7, 8, 5)
    write_run(tmp_path / "a", found=found)

    def f1(values):
        return 2 * sum(values) / (sum(values) + 10 * len(values))

    whole = f1(found)
    pseudo = [4 * whole - 3 * f1(found[:index] + found[index + 1 :]) for index in range(4)]
    mean = sum(pseudo) / 4
    error = sqrt(sum((value - mean) ** 2 for value in pseudo) / 3 / 4)
    (group,) = groups(tmp_path)
    interval = group.candidates[0].interval
    assert interval.high - interval.low == pytest.approx(2 * t.ppf(0.975, 3) * error)
    assert (interval.high + interval.low) / 2 == pytest.approx(whole)


def test_tasks_metrics_and_documents_are_never_mixed(tmp_path):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", result={"task": "relation"})
    write_run(tmp_path / "c", settings={"data": {"_target_": "x.files.Files", "test_file": "mine.jsonl"}})
    found = groups(tmp_path)
    assert [(group.task, group.documents) for group in found] == [
        ("ner", "data=files data.documents=none data.test_file=mine.jsonl"),
        ("ner", "data=generated data.documents=100 data.test_file=none"),
        ("relation", ""),
    ]


def test_a_repeated_run_replaces_the_earlier_one_and_is_said(tmp_path):
    for name, correct, when in (("old", 5, 1000), ("new", 9, 2000)):
        folder = write_run(tmp_path / name, found=(correct,) * 4)
        os.utime(folder / "result.json", (when, when))
    (group,) = groups(tmp_path)
    (only,) = group.candidates
    assert [run.folder.name for run in only.runs] == ["new"]
    assert "old is left out" in group.notes[0]


def test_without_scores_there_is_a_figure_but_no_interval(tmp_path):
    write_run(tmp_path / "a", scores=False)
    (group,) = groups(tmp_path)
    (only,) = group.candidates
    assert only.estimate == pytest.approx(2 * 26 / 66)
    assert only.interval.low is None
    assert "has no interval" in group.notes[0]


def test_lower_is_better_turns_the_order_and_what_is_no_number_comes_last(tmp_path):
    lower = {"lower_is_better": True, "primary_metric": "perplexity"}
    for strategy, value in (("chunk", 20.0), ("dense", 10.0), ("yarn", float("nan"))):
        write_run(tmp_path / strategy, strategy=strategy, scores=False,
                  result={**lower, "metrics": {"test": {"perplexity": value}}})  # fmt: skip
    (group,) = groups(tmp_path)
    assert [one.title.split()[0] for one in group.candidates] == ["dense", "chunk", "yarn"]


def test_train_and_eval_of_one_configuration_are_two_candidates(tmp_path):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", result={"stage": "eval"})
    (group,) = groups(tmp_path)
    assert {one.title for one in group.candidates} == {"chunk at 512, train", "chunk at 512, eval"}
