"""Classification through the real command, on encoders and decoders."""

import json
import shutil

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from ctxlab.cli import main
from tests.pictures import drawn
from tests.stages.conftest import result, train

SHORT = ("context=64", "data.words_per_document=70", "data.evidence_distance=[20]", "trainer.max_steps=2",
         "trainer.tokens_per_step=512")  # fmt: skip
RUNS = {
    "bert-truncate": ("task=classification", "model=tiny_bert", "strategy=truncate"),
    "gpt2-chunk": ("task=classification", "model=tiny_gpt2", "strategy=chunk", "task.combine=attention"),
    "llama-xl": ("task=classification", "model=tiny_llama", "strategy=transformer_xl", "strategy.reading.window=32"),
}


def options(name):
    given = {option.split("=")[0] for option in RUNS[name]}
    return (*RUNS[name], *(option for option in SHORT if option.split("=")[0] not in given))


class Runs(dict):
    """Finished runs by name, trained when they are first asked for."""

    def __init__(self, folder):
        self._folder = folder

    def __missing__(self, name):
        self[name] = self._folder / name
        assert train(self[name], *options(name)) == 0
        return self[name]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp("classification"))


def write(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def evaluated(run, folder, *options):
    assert main(["eval", f"run={run}", *options, f"hydra.run.dir={folder}"]) == 0
    return result(folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2-chunk", "llama-xl"])
def test_a_checkpoint_loads_again_with_its_scores(name, runs, tmp_path):
    before = result(runs[name])
    with drawn():
        found = evaluated(runs[name], tmp_path / "e", "split=test")
    assert found["metrics"]["test"] == before["metrics"]["test"]
    assert set(found["metrics"]["test"]) >= {"accuracy", "macro_f1", "micro_f1", "calibration_error"}
    assert {"overall", "per_class", "by_length", "by_position"} <= set(found["breakdowns"]["test"])
    assert (tmp_path / "e" / "test.png").is_file()
    assert found["coverage"]["test"] == {"tokens": 1.0, "labels": 1.0, "characters": 1.0}


@pytest.mark.by_default(1)
@pytest.mark.parametrize("name", ["gpt2-chunk", "llama-xl"])
def test_answers_do_not_depend_on_the_batch(name, runs, tmp_path):
    """Documents of different lengths in one padded batch, and each by itself."""
    text = "The old captain sold rope, and it rained. "
    records = [{"id": str(n), "text": text * n, "label": "acquitted"} for n in (1, 2, 3, 5, 9)]
    file = write(tmp_path / "a.jsonl", *records)
    for size in (1, 512):
        given = (f"data.validation_file={file}", f"trainer.tokens_per_forward={size}")
        evaluated(runs[name], tmp_path / str(size), *given)
    one, many = (lines(tmp_path / str(size) / "predictions" / "validation.jsonl") for size in (1, 512))
    for a, b in zip(one, many, strict=True):
        assert a["probabilities"] == pytest.approx(b["probabilities"], abs=2e-5)


@pytest.mark.by_default(1)
@pytest.mark.parametrize("name", ["bert-truncate", "gpt2-chunk"])
def test_a_document_of_one_window_is_what_the_plain_model_says(name, runs, tmp_path):
    text = "The old captain sold rope."
    (tmp_path / "note.txt").write_text(text)
    command = ["predict", f"run={runs[name]}", f"input={tmp_path / 'note.txt'}", f"output={tmp_path / 'out.jsonl'}"]
    assert main([*command, f"hydra.run.dir={tmp_path / 'p'}"]) == 0
    (found,) = lines(tmp_path / "out.jsonl")
    folder = sorted((runs[name] / "checkpoints").iterdir())[-1]
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        expected = model.eval()(input_ids=ids).logits.softmax(-1)[0]
    names = [model.config.id2label[i] for i in range(3)]
    assert names == ["acquitted", "adjourned", "convicted"]
    assert [found["probabilities"][n] for n in names] == pytest.approx(expected.tolist(), abs=1e-5)
    assert (found["id"], found["label"], found["share_read"]) == ("note", names[int(expected.argmax())], 1.0)


def test_several_labels_a_document(tmp_path):
    records = [
        {"id": str(i), "text": "The old captain sold rope. " * (i % 5 + 1), "labels": ["sea", "trade"][: i % 3]}
        for i in range(12)
    ]
    file = write(tmp_path / "train.jsonl", *records)
    given = ("task=classification", "task.multi_label=true", "model=tiny_bert", "strategy=chunk", "context=32",
             f"data.train_file={file}", "trainer.max_steps=2")  # fmt: skip
    assert train(tmp_path / "run", *given) == 0
    found = result(tmp_path / "run")
    assert set(found["metrics"]["validation"]) >= {"exact_match", "macro_f1", "micro_f1"}
    assert found["primary_metric"] == "micro_f1"
    (record,) = lines(tmp_path / "run" / "predictions" / "validation.jsonl")
    assert set(record["probabilities"]) == {"sea", "trade"}
    assert record["labels"] == [name for name, p in record["probabilities"].items() if p >= 0.5]


def test_evidence_that_was_cut_off_is_no_coverage(runs):
    found = result(runs["bert-truncate"])
    assert found["coverage"]["validation"]["tokens"] < 1
    assert found["coverage"]["test"]["labels"] in np.arange(3) / 2


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["train", "strategy=rmt", "model=tiny_bert"], "its head reads the position at which the memory is"),
        (["train", "model=tiny_t5", "strategy=chunk"], "needs a model of kind decoder or encoder"),
        (["train", "model=tiny_bert", "task.combine=vote"], "task.combine=vote is not one of"),
        (["verify", "model=tiny_bert"], "verify the same model and strategy with task=ner"),
        (["eval", "model=tiny_bert"], "task=classification needs a trained head"),
    ],
)
def test_what_cannot_work_is_refused(words, says, refused, tmp_path):
    stage, *rest = words
    given = ("task=classification", "tracking=none", "context=256", "data.documents=3", "data.words_per_document=60")
    assert says in refused([stage, *given, "data.evidence_distance=[16]", *rest, f"hydra.run.dir={tmp_path / 'e'}"])


def test_a_decoder_finds_the_last_token_whatever_its_config_calls_padding(runs, tmp_path):
    """Documents are padded with the tokenizer's token, and heads of decoders look for the config's."""
    folder = tmp_path / "model"
    shutil.copytree(sorted((runs["gpt2-chunk"] / "checkpoints").iterdir())[-1], folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "pad_token_id": 7}))
    given = ("task=classification", "strategy=chunk", "model=pretrained", f"model.path={folder}", *SHORT)
    assert train(tmp_path / "run", *given) == 0
    saved = json.loads(next((tmp_path / "run" / "checkpoints").glob("*/config.json")).read_text())
    assert saved["pad_token_id"] == AutoTokenizer.from_pretrained(folder).pad_token_id != 7
