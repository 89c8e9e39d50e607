"""``ctxlab label`` through the real command: pseudo-labels that train, and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest

from ctxlab.cli import main
from ctxlab.tasks.records.bio import spans
from tests.stages.conftest import train


def write(path: Path, *records: dict) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def label(tmp_path):
    """The command of a run, and the lines that it writes."""

    def run(folder: Path, source: Path, *options: str) -> list[dict]:
        output = tmp_path / "out.jsonl"
        shutil.rmtree(tmp_path / "l", ignore_errors=True)
        words = ["label", f"run={folder}", f"input={source}", f"output={output}", "overwrite=true", "tracking=none"]
        assert main([*words, *options, f"hydra.run.dir={tmp_path / 'l'}"]) == 0
        return lines(output)

    return run


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> Path:
    """A classifier of two words."""
    folder = tmp_path_factory.mktemp("classifier")
    records = [{"text": f"{'sun' if n % 2 else 'rain'} today", "label": ["wet", "dry"][n % 2]} for n in range(16)]
    source = write(folder / "train.jsonl", *records)
    options = ("task=classification", f"data.train_file={source}", "trainer.max_steps=30", "trainer.tokens_per_step=64")
    assert train(folder / "run", *options, "strategy=chunk", "context=16", "optimizer.lr=1e-2") == 0
    return folder / "run"


def test_pseudo_labels_are_what_the_run_predicts_and_train(trained, tmp_path, label):
    predicted = lines(trained / "predictions" / "test.jsonl")
    source = write(tmp_path / "pool.jsonl", *({"id": one["id"], "tokens": one["tokens"]} for one in predicted))
    found = label(trained, source, "label.threshold=0")
    assert [line["tags"] for line in found] == [one["tags"] for one in predicted]
    assert any(spans(line["tags"]) for line in found)
    report = (tmp_path / "l" / "report.md").read_text()
    assert "### Suggested labels" in report
    assert "risk" not in report
    pseudo = write(tmp_path / "pseudo.jsonl", *found)
    assert train(tmp_path / "again", f"data.train_file={pseudo}", f"data.validation_file={pseudo}") == 0


def test_gold_in_the_input_is_hidden_and_judges(trained, tmp_path, label):
    predicted = lines(trained / "predictions" / "test.jsonl")
    gold = [{"id": one["id"], "tokens": one["tokens"], "tags": one["tags"]} for one in predicted]
    gold[0]["tags"] = ["O"] * len(gold[0]["tags"])
    found = label(trained, write(tmp_path / "pool.jsonl", *gold), "label.threshold=0")
    assert [line["tags"] for line in found] == [one["tags"] for one in predicted]
    wrong, right = (len(spans(one["tags"])) for one in predicted)
    report = (tmp_path / "l" / "report.md").read_text()
    assert f"| 1.000 | {wrong + right:,} |" in report
    assert f"| {wrong / (wrong + right):.3f} |" in report
    assert (tmp_path / "l" / "risk_coverage.png").stat().st_size > 1000


def test_labels_of_documents(classifier, tmp_path, label):
    records = [{"id": "a", "text": "sun", "from": 1}, {"id": "b", "text": "rain"}, {"id": "c", "text": "rain rain"}]
    source = write(tmp_path / "pool.jsonl", *records)
    found = label(classifier, source, "label.threshold=0.5")
    assert found == [{**one, "label": name} for one, name in zip(records, ["dry", "wet", "wet"], strict=True)]
    mixed = label(classifier, source, "label.threshold=0.5", "label.shuffle=true", "label.seed=3")
    assert sorted(line["label"] for line in mixed) == ["dry", "wet", "wet"]


@pytest.mark.slow
def test_a_queue_goes_out_and_comes_back(classifier, tmp_path, label):
    gold = [{"id": str(n), "text": text, "label": "dry"} for n, text in enumerate(["sun", "rain", "sun rain"])]
    source = write(tmp_path / "pool.jsonl", *gold)
    queue = label(classifier, source, "label=active", "label.count=2")
    assert [set(line) for line in queue] == [{"id", "text", "answer", "suggestions", "score", "reviewed"}] * 2
    assert queue[0]["score"] >= queue[1]["score"]
    assert "risk_coverage.png" in (tmp_path / "l" / "report.md").read_text()
    corrected = write(tmp_path / "queue.jsonl", *({**line, "answer": "dry", "reviewed": True} for line in queue))
    found = label(classifier, source, "label=active", f"label.reviewed={corrected}")
    assert found == [{"id": line["id"], "text": line["text"], "label": "dry"} for line in queue]


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("label.threshold=1.5",), "label.threshold=1.5 is out of range"),
        (("label.threshold=high",), "label.threshold"),
        (("label=psuedo",), "did you mean 'pseudo'"),
        (("label.treshold=0.5",), "label.threshold"),
        (("label=active", "label.strategy=sure"), "label.strategy=sure is not known: use entropy, margin or random"),
        (("label=active", "label.count=0"), "label.count=0 is too small"),
        (("label=active", "label.reviewed=none.jsonl"), "label.reviewed=none.jsonl does not exist"),
        (("label.threshold=1",), "the highest confidence is 0."),
    ],
)
def test_bad_values(trained, tmp_path, refused, options, expected):
    source = write(tmp_path / "pool.jsonl", {"tokens": ["a"]})
    words = ["label", f"run={trained}", f"input={source}", f"output={tmp_path / 'out.jsonl'}"]
    assert expected in refused([*words, *options, f"hydra.run.dir={tmp_path / 'l'}"])
    assert not (tmp_path / "out.jsonl").exists()


def test_other_tasks_are_refused_in_one_sentence(tmp_path, refused):
    source = write(tmp_path / "pool.jsonl", {"text": "a b c"})
    words = ["label", "task=lm", "model=tiny_gpt2", f"input={source}", f"output={tmp_path / 'out.jsonl'}"]
    error = refused([*words, f"hydra.run.dir={tmp_path / 'l'}"])
    assert error.endswith(
        "task=lm with these options has no labels that a run could suggest: ctxlab label works with task=ner, and with "
        "task=classification and task=nli where a head was trained."
    )
