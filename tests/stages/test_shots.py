"""Tasks by prompting through the real command, without training and with it."""

import json

import pytest

from ctxlab.cli import main
from ctxlab.command.compose import compose
from ctxlab.data.splits import Splits, load_documents
from ctxlab.workbench.opening import open_bench
from ctxlab.workbench.parts import make_parts
from tests.stages.conftest import result, train

SHORT = ("tracking=none", "data.documents=4", "data.validation_documents=1", "data.test_documents=1",
         "data.words_per_document=60", "data.evidence_distance=[16]", "trainer.precision=fp32", "strategy=chunk",
         "task.instruction=", "task.example_words=8")  # fmt: skip
WRITE = ("task=qa", "task.decoding.max_new_tokens=6")
TINY = ("model.hidden_size=32", "model.num_layers=1")


def write(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.by_default(1)
@pytest.mark.parametrize(("model", "shots"), [("tiny_llama", 2), ("tiny_gpt2", 0), ("tiny_t5", 0)])
def test_questions_are_answered_without_training(model, shots, tmp_path):
    words = ["eval", f"model={model}", *WRITE, *TINY, f"shots={shots}", "context=256", *SHORT]
    assert main([*words, f"hydra.run.dir={tmp_path / 'e'}"]) == 0
    found = result(tmp_path / "e")
    assert found["coverage"]["validation"] == {"tokens": 1.0, "labels": 1.0, "characters": 1.0}
    assert {"exact_match", "f1", "no_answer_accuracy"} <= set(found["metrics"]["validation"])
    assert found["checkpoint"] == model


@pytest.mark.by_default(1)
@pytest.mark.parametrize("task", ["classification", "nli"])
def test_labels_are_given_without_training_whatever_shares_a_batch(task, tmp_path):
    words = ["eval", "model=tiny_llama", *TINY, f"task={task}", "shots=1", "context=128", *SHORT,
             "data.validation_documents=3"]  # fmt: skip
    probabilities = []
    for tokens in (128, 1024):
        folder = tmp_path / str(tokens)
        assert main([*words, f"trainer.tokens_per_step={tokens}", f"hydra.run.dir={folder}"]) == 0
        given = [line["probabilities"] for line in lines(folder / "predictions" / "validation.jsonl")]
        probabilities.append([value for one in given for value in one.values()])
    assert probabilities[0] == pytest.approx(probabilities[1], abs=1e-5)
    assert {"accuracy", "macro_f1", "auroc"} <= set(result(folder)["metrics"]["validation"])


def test_a_prompted_task_can_be_trained_and_reloads(tmp_path):
    run = tmp_path / "run"
    options = ("model=tiny_llama", *TINY, "task=classification", "task.shots=0", "context=96", *SHORT)
    assert train(run, *options, "trainer.max_steps=2") == 0
    assert main(["eval", f"run={run}", "split=test", f"hydra.run.dir={tmp_path / 'e'}"]) == 0
    assert result(tmp_path / "e")["metrics"]["test"] == result(run)["metrics"]["test"]


def test_predict_takes_a_model_without_training(tmp_path, refused):
    source = write(tmp_path / "in.jsonl", {"id": "a", "text": "It rained. " * 30})
    output = tmp_path / "out.jsonl"
    command = ["predict", "model=tiny_llama", *TINY, "task=classification", "shots=0", "strategy=chunk", "context=64",
               f"input={source}", f"output={output}"]  # fmt: skip
    says = refused([*command, f"hydra.run.dir={tmp_path / 'r'}"])
    assert "data=generated has only invented ones: give data.train_file=<file>, or task.labels=[…]." in says
    assert main([*command, "task.labels=[wet,dry]", f"hydra.run.dir={tmp_path / 'p'}"]) == 0
    (line,) = lines(output)
    assert set(line["probabilities"]) == {"wet", "dry"}


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["task=qa", "model=tiny_bert", "shots=0"], "task=qa needs a trained head"),
        (["task=qa", "model=tiny_llama", "shots=20", "data.documents=2"], "there are 4: use task.shots=4"),
        (["task=nli", "model=tiny_llama", "shots=0", "strategy=rmt"], "carries state from window to window"),
        (["task=qa", "model=tiny_llama", "shots=0", "context=32"], "leaves no room for the document"),
        (["task=qa", "model=tiny_llama", "task.shots=1.5"], "task.shots=1.5"),
    ],
)
def test_what_cannot_work_is_refused(words, says, tmp_path, refused):
    given = {word.split("=")[0] for word in words}
    short = [option for option in SHORT if option.split("=")[0] not in given]
    length = [] if "context" in given else ["context=128"]
    assert says in refused(["eval", *words, *short, *length, f"hydra.run.dir={tmp_path / 'r'}"])


def test_examples_need_training_documents(tmp_path, refused):
    file = write(tmp_path / "v.jsonl", {"context": "It rained.", "question": "What?", "answers": []})
    words = ["eval", "task=qa", "model=tiny_llama", f"data.validation_file={file}", f"hydra.run.dir={tmp_path / 'r'}"]
    says = refused([*words, "shots=1"])
    assert "takes solved examples from training documents, but there are none" in says


def test_examples_come_from_the_documents_that_training_would_use(tmp_path):
    """Documents held out for validation give no examples, and repairs in them are not counted twice."""
    records = [
        {"id": f"r{i}", "context": f"It rained in town {i}.", "question": "Where?",
         "answers": [{"text": f"town {i}", "answer_start": 0}]} for i in range(12)
    ]  # fmt: skip
    file = write(tmp_path / "train.jsonl", *records)
    words = ["task=qa", "model=tiny_llama", "shots=11", f"data.train_file={file}", "strategy=chunk", "context=512"]
    parts = make_parts(compose("eval", words), tmp_path)
    task = open_bench(parts, lambda _: Splits(train=[], validation=[], test=[])).bench.task
    assert task.notes == []
    splits = load_documents(parts.data, task, parts.seed)
    assert [note[:38] for note in task.notes] == ["12 answers are not in the context at t"]
    (held_out,) = splits.validation
    assert {example.id for example in task.examples(held_out)} == {f"r{i}" for i in range(12)} - {held_out.id}
