"""``ctxlab eval`` and ``ctxlab predict`` on a finished run."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ctxlab.cli import main
from ctxlab.core.files import write_json
from ctxlab.core.folders import MANIFEST, checksums
from ctxlab.evaluation.metrics import entities
from ctxlab.training import checkpoint
from tests.pictures import drawn
from tests.stages.conftest import result


def write(path: Path, *records: dict) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_eval_repeats_the_scores_of_training(trained, tmp_path):
    for split in ("validation", "test"):
        assert main(["eval", f"run={trained}", f"split={split}", f"hydra.run.dir={tmp_path / split}"]) == 0
        assert result(tmp_path / split)["metrics"][split] == result(trained)["metrics"][split]
        assert (tmp_path / split / "report.md").is_file()


def test_eval_takes_another_context_and_strategy(trained, tmp_path):
    command = ["eval", f"run={trained}", "strategy=truncate", "context=48", f"hydra.run.dir={tmp_path / 'e'}"]
    assert main(command) == 0
    found = result(tmp_path / "e")
    assert (found["strategy"], found["context_length"]) == ("truncate", 48)
    assert found["coverage"]["validation"]["tokens"] < 0.5
    longer = ["eval", f"run={trained}", "context=2048", "strategy/positions=tile", f"hydra.run.dir={tmp_path / 'l'}"]
    assert main(longer) == 0
    assert any("context.length=2,048 is longer than every document" in note for note in result(tmp_path / "l")["notes"])


def test_eval_takes_another_file(trained, tmp_path):
    file = write(tmp_path / "mine.jsonl", {"tokens": ["Port", "Brisk", "."], "tags": ["B-LOC", "I-LOC", "O"]})
    command = ["eval", f"run={trained}", "split=test", f"data.test_file={file}", f"hydra.run.dir={tmp_path / 'e'}"]
    assert main(command) == 0
    assert json.loads((tmp_path / "e" / "predictions" / "test.jsonl").read_text())["tokens"] == ["Port", "Brisk", "."]


def test_a_label_that_the_model_never_had_is_refused(trained, tmp_path, refused):
    file = write(tmp_path / "mine.jsonl", {"tokens": ["Monday"], "tags": ["B-DATE"]})
    error = refused(
        ["eval", f"run={trained}", "split=test", f"data.test_file={file}", f"hydra.run.dir={tmp_path / 'e'}"]
    )
    assert "DATE" in error


@pytest.mark.slow
def test_a_checkpoint_of_another_task_is_refused(trained, tmp_path, refused):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    folder = checkpoint.find(run, "best")
    state = json.loads((folder / "state.json").read_text())
    write_json(folder / "state.json", {**state, "task": "summarization"})
    write_json(folder / MANIFEST, checksums(folder))
    assert "task summarization" in refused(["eval", f"run={run}", f"hydra.run.dir={tmp_path / 'e'}"])
    assert "task summarization" in refused(["train", f"resume={run}"])


def test_a_damaged_best_checkpoint_is_not_used(trained, tmp_path, refused):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    for name in checkpoint.names(run):
        (run / checkpoint.FOLDER / name / "model.safetensors").write_bytes(b"noise")
    assert "has no valid checkpoint" in refused(["eval", f"run={run}", f"hydra.run.dir={tmp_path / 'e'}"])


@pytest.fixture
def predict(trained, tmp_path):
    def run(source: Path, *options: str) -> list[dict]:
        output = tmp_path / "tags.jsonl"
        command = [
            "predict",
            f"run={trained}",
            f"input={source}",
            f"output={output}",
            f"hydra.run.dir={tmp_path / 'p'}",
        ]
        assert main([*command, *options]) == 0
        return [json.loads(line) for line in output.read_text().splitlines()]

    return run


def test_predict_answers_every_word_of_every_document(predict, tmp_path):
    text = "Captain Maro  Velin reached\nPort Brisk."
    long = ["word"] * 5000 + ["\u200b"] + ["Brisk"]
    records = predict(write(tmp_path / "d.jsonl", {"id": "a", "text": text}, {"id": "b", "tokens": long}))
    assert [record["id"] for record in records] == ["a", "b"]
    assert records[0]["tokens"] == ["Captain", "Maro", "Velin", "reached", "Port", "Brisk", "."]
    for entity in records[0]["entities"]:
        assert text[entity["start_char"] : entity["end_char"]] == entity["text"]
    assert len(records[1]["tags"]) == 5002
    assert {tag[0] for tag in records[1]["tags"]} <= {"B", "I", "O"}


def test_predict_agrees_with_the_predictions_of_training(predict, trained, tmp_path):
    expected = [json.loads(line) for line in (trained / "predictions" / "test.jsonl").read_text().splitlines()]
    source = write(tmp_path / "d.jsonl", *({"id": r["id"], "tokens": r["tokens"]} for r in expected))
    assert predict(source) == expected


@pytest.mark.slow
def test_predict_never_overwrites_unasked(trained, tmp_path, refused, predict):
    source = write(tmp_path / "d.jsonl", {"tokens": ["a"]})
    output = tmp_path / "tags.jsonl"
    output.write_text("precious")
    words = ["predict", f"run={trained}", f"input={source}", f"output={output}", f"hydra.run.dir={tmp_path / 'x'}"]
    assert "overwrite=true" in refused(words)
    assert output.read_text() == "precious"
    assert len(predict(source, "overwrite=true")) == 1


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b'{"tokens": ["a"]}\n{"tokens": [}\n', "line 2"),
        (b'{"tokens": []}\n', "zero tokens"),
        (b'{"tokens": ["\xff"]}\n', "UTF-8"),
        (b'{"words": ["a"]}\n', "tokens"),
    ],
)
def test_bad_input_is_named(content, expected, trained, tmp_path, refused):
    source = tmp_path / "d.jsonl"
    source.write_bytes(content)
    output = tmp_path / "tags.jsonl"
    words = ["predict", f"run={trained}", f"input={source}", f"output={output}", f"hydra.run.dir={tmp_path / 'x'}"]
    assert expected in refused(words)
    assert not output.exists()


def test_a_metric_without_tables_is_reported_like_any_other(trained, tmp_path, monkeypatch):
    score = entities.score
    monkeypatch.setattr(entities, "score", lambda *given: replace(score(*given), tables=()))
    with drawn():
        assert main(["eval", f"run={trained}", f"hydra.run.dir={tmp_path / 'e'}"]) == 0
    found = result(tmp_path / "e")
    assert found["metrics"] == {"validation": result(trained)["metrics"]["validation"]}
    assert found["breakdowns"] == {"validation": {}}
    assert not list((tmp_path / "e").glob("*.png"))


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["chunk", "truncate"])
def test_a_context_past_the_trained_length_is_read_in_windows_of_that_length(trained, tmp_path, capsys, strategy):
    """The oracle is the same strategy at the trained length itself."""
    for context in (1024, 4096):
        command = ["eval", f"run={trained}", f"strategy={strategy}", f"context={context}", "strategy/positions=keep"]
        assert main([*command, "data.words_per_document=1800", f"hydra.run.dir={tmp_path / str(context)}"]) == 0
    short, long = result(tmp_path / "1024"), result(tmp_path / "4096")
    assert long["metrics"] == short["metrics"]
    assert long["coverage"] == short["coverage"]
    assert (long["coverage"]["validation"]["tokens"] < 0.9) == (strategy == "truncate")
    assert long["context_length"] == 4096
    (note,) = [note for note in long["notes"] if note not in short["notes"]]
    assert "reads windows of 1,024 and not of context.length=4,096" in note
    assert " ".join(capsys.readouterr().out.split()).count("not of context.length=4,096") == 1


def test_the_dictionary_of_training_mentions_stands_beside_the_model(tmp_path, trained):
    """Not where the scored documents are those that it learned from."""
    after_training = result(trained)["breakdowns"]["test"]["overall"]
    assert [row["entities"] for row in after_training] == ["the model", "mentions of the training documents"]
    assert after_training[0]["f1"] == result(trained)["metrics"]["test"]["f1"]
    found = {}
    for split in ("test", "train"):
        assert (
            main(["eval", f"run={trained}", f"split={split}", "tracking=none", f"hydra.run.dir={tmp_path / split}"])
            == 0
        )
        found[split] = result(tmp_path / split)["breakdowns"][split]["overall"]
    assert found["test"] == after_training
    assert [row["entities"] for row in found["train"]] == ["all"]
