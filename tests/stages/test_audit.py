"""``ctxlab audit`` through the real command: verdicts, exit status, and what it refuses."""

import json
from pathlib import Path

import pytest

from ctxlab.cli import main
from tests.stages.conftest import train


def write(path: Path, count: int, *, first: int = 0) -> Path:
    names = ("Mary", "James", "Susan", "Robert")
    records = [
        {"id": f"{path.stem}{n}", "text": f"It was {('fine', 'poor')[n % 2]} . {names[n % 4]} said so .",
         "label": ("yes", "no")[n % 2], "site": ("north", "south")[n // 2 % 2]}
        for n in range(first, first + count)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A classifier that reads one word."""
    folder = tmp_path_factory.mktemp("audited")
    source = write(folder / "train.jsonl", 24)
    options = ("task=classification", f"data.train_file={source}", f"data.validation_file={source}", "context=64")
    more = (f"data.test_file={write(folder / 'test.jsonl', 24)}", "trainer.max_steps=2", "strategy=chunk")
    assert train(folder / "run", *options, *more) == 0
    return folder / "run"


def audit(run: Path, folder: Path, *words: str) -> int:
    return main(["audit", f"run={run}", "tracking=none", f"hydra.run.dir={folder}", *words])


def test_a_page_and_json_are_left_and_the_status_says_whether_something_was_found(run, tmp_path):
    chosen = ("audit=[groups,robustness]", "audit.groups.field=site", "audit.robustness.doses={distractors:[0.5]}")
    status = audit(run, tmp_path / "a", *chosen)
    found = json.loads((tmp_path / "a" / "audit.json").read_text())
    assert status == (4 if found["found"] else 0)
    assert set(found["checks"]) == {"groups", "robustness"}
    rows = found["checks"]["groups"]["tables"]["by_site"]
    assert {row["group"]: row["documents"] for row in rows} == {"north": 12, "south": 12}
    assert (tmp_path / "a" / "index.html").is_file()
    assert (tmp_path / "a" / "report.md").is_file()
    assert (tmp_path / "a" / ".hydra" / "finished").is_file()
    assert not (tmp_path / "a" / "failure.json").exists()


@pytest.mark.slow
def test_a_finding_ends_in_status_4_unless_it_is_only_to_be_reported(run, tmp_path, monkeypatch):
    from ctxlab.audit.domain import Domain
    from ctxlab.core.audit import Finding, Verdict

    monkeypatch.setattr(Domain, "check", lambda *_: Finding(Verdict.FOUND, "Found."))
    assert audit(run, tmp_path / "a", "audit=domain") == 4
    assert (tmp_path / "a" / ".hydra" / "finished").is_file()
    assert not (tmp_path / "a" / "failure.json").exists()
    assert audit(run, tmp_path / "b", "audit=domain", "audit.fail=false") == 0


def test_another_domain_is_compared_with_the_scores_of_the_run(run, tmp_path):
    other = write(tmp_path / "letters.jsonl", 16, first=100)
    assert audit(run, tmp_path / "a", "audit=domain", f"data.test_file={other}") in (0, 4)
    (compared,) = json.loads((tmp_path / "a" / "audit.json").read_text())["checks"]["domain"]["compared"]
    assert compared["num_documents"] == 16 + 24
    own = json.loads((run / "result.json").read_text())["metrics"]["test"]["accuracy"]
    assert compared["second"] == pytest.approx(own)


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("audit=groups", "audit.groups.field=sit"), "no record has such a field; did you mean 'site'?"),
        (("audit=groups", "audit.groups.field=site", "audit.groups.groups=[east]"), "the group 'east' does not occur"),
        (("audit=swap", "audit.swap.lists=[names_zh]"), "no word of 'names_zh' can be swapped"),
        (("audit=domain", "audit.domain.reference=/nowhere"), "audit.domain.reference"),
        (("audit=position", "audit.position.depths=2"), "depths=2 has no middle"),
        (("audit.level=2",), "audit.level=2 is out of range"),
        (("split=tset",), "split=tset is not known"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(run, tmp_path, capsys, words, sentence):
    assert audit(run, tmp_path / "a", *words) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "a").exists()


@pytest.mark.slow
def test_a_failed_run_and_a_reference_of_another_task_are_refused(run, tmp_path, capsys):
    failed = tmp_path / "failed"
    failed.mkdir()
    (failed / "failure.json").write_text(json.dumps({"error": "Out of disk."}))
    assert audit(run, tmp_path / "a", "audit=domain", f"audit.domain.reference={failed}") == 2
    assert "cannot be read (Out of disk)" in " ".join(capsys.readouterr().err.split())
    other = tmp_path / "other"
    other.mkdir()
    result = json.loads((run / "result.json").read_text()) | {"task": "nli"}
    (other / "result.json").write_text(json.dumps(result))
    assert audit(run, tmp_path / "a", "audit=domain", f"audit.domain.reference={other}") == 2
    assert "is a run of task nli, not classification" in " ".join(capsys.readouterr().err.split())
