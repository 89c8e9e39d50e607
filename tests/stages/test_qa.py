"""Questions through the real command: train, eval, predict, resume."""

import json

import pytest

from ctxlab.cli import main
from tests.pictures import drawn
from tests.stages.conftest import result, train

QA = ("task=qa", "strategy=chunk", "context=64", "data.documents=3", "data.words_per_document=100",
      "data.evidence_distance=[16,60]")  # fmt: skip


def write(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("qa") / "run"
    with drawn():
        assert train(folder, *QA) == 0
    return folder


def test_training_scores_every_question(run):
    found = result(run)
    assert found["primary_metric"] == "f1"
    assert set(found["metrics"]["validation"]) == {
        "exact_match", "f1", "has_answer_exact_match", "has_answer_f1", "no_answer_accuracy",
    }  # fmt: skip
    assert found["coverage"]["validation"] == {"tokens": 1.0, "labels": 1.0, "characters": 1.0}
    assert [row["answer"] for row in found["breakdowns"]["validation"]["overall"]] == [
        "the model", "first sentence", "BM25 sentence", "always no answer",
    ]  # fmt: skip
    lines = [json.loads(line) for line in (run / "predictions" / "test.jsonl").read_text().splitlines()]
    assert [line["id"].split("#")[1] for line in lines] == ["1", "2", "3"] * 2
    assert (run / "test.png").is_file()


@pytest.mark.by_default(1)
@pytest.mark.parametrize("strategy", ["chunk", "truncate", "longformer", "textrank", "selective_context"])
def test_a_checkpoint_is_scored_under_other_strategies(strategy, run, tmp_path):
    length = 128 if strategy == "longformer" else 64  # room for its window
    command = ["eval", f"run={run}", "split=test", f"strategy={strategy}", f"context={length}"]
    assert main([*command, f"hydra.run.dir={tmp_path / 'e'}"]) == 0
    found = result(tmp_path / "e")
    if strategy == "chunk":
        assert found["metrics"]["test"] == result(run)["metrics"]["test"]
    if strategy == "truncate":
        assert found["coverage"]["test"]["labels"] == 0.5


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["rmt", "hierarchical"])
def test_strategies_that_link_windows(strategy, tmp_path):
    options = (f"strategy={strategy}", "strategy.reading.window=32", "data.documents=1", "context=128")
    assert train(tmp_path / "run", *QA, *options, "trainer.max_steps=1") == 0
    assert result(tmp_path / "run")["coverage"]["validation"] == {"tokens": 1.0, "labels": 1.0, "characters": 1.0}


def test_questions_about_one_text_stay_on_one_side(tmp_path):
    records = [
        {"id": f"r{i}", "context": f"It rained in town {i}.", "questions": [
            {"id": j, "question": "Where?", "answers": [{"text": f"town {i}", "answer_start": 13}]} for j in range(3)
        ]}
        for i in range(4)
    ]  # fmt: skip
    file = write(tmp_path / "train.jsonl", *records)
    assert train(tmp_path / "run", "task=qa", "strategy=chunk", f"data.train_file={file}") == 0
    found = result(tmp_path / "run")
    assert found["breakdowns"]["validation"]["overall"][0]["questions"] == 3
    lines = (tmp_path / "run" / "predictions" / "validation.jsonl").read_text().splitlines()
    assert len({json.loads(line)["id"].split("#")[0] for line in lines}) == 1


@pytest.mark.slow
def test_a_run_is_verified(run, tmp_path):
    options = ("data.validation_documents=1", "data.words_per_document=100", "data.evidence_distance=[16]")
    command = ["verify", f"run={run}", "strategy=chunk", "context=64", *options]
    assert main([*command, f"hydra.run.dir={tmp_path / 'v'}"]) == 0


def test_predict_needs_no_answers(run, tmp_path):
    contexts = ["The captain sold rope. " * 20, "It rained."]
    source = write(
        tmp_path / "in.jsonl",
        {"id": "a", "context": contexts[0], "questions": [{"id": "x", "question": "Who?"}, {"question": "What?"}]},
        {"id": "b", "contexts": contexts, "question": "When?"},
    )
    output = tmp_path / "out.jsonl"
    command = ["predict", f"run={run}", f"input={source}", f"output={output}", "task.no_answer_threshold=-100"]
    assert main([*command, f"hydra.run.dir={tmp_path / 'p'}"]) == 0
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["id"] for line in lines] == ["a#x", "a#2", "b"]
    for line in lines:
        text = contexts[line.get("context", 0)]
        assert line["answer"]
        assert line["answer"] == text[line["start"] : line["end"]]


def test_a_file_of_another_task_is_refused(tmp_path, refused):
    file = write(tmp_path / "ner.jsonl", {"tokens": ["a"], "tags": ["O"]})
    says = refused(
        ["train", "task=qa", "model=tiny_bert", f"data.train_file={file}", f"hydra.run.dir={tmp_path / 'r'}"]
    )
    assert "task=ner" in says
    assert "ner.jsonl line 1" in says
