"""Readings through the real command: they train, reload with the same scores, predict, and report what they left
out."""

import json

import pytest
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification

from ctxlab.cli import main
from tests.stages.conftest import result, train

SHORT = ("trainer.max_steps=2", "trainer.save_every_steps=1", "trainer.keep_checkpoints=2")
CASES = {
    "hierarchical": ("strategy=hierarchical", "strategy.reading.window=64"),
    "hierarchical-llama": ("strategy=hierarchical", "strategy.reading.window=64", "model=tiny_llama"),
    "hierarchical-bf16": ("strategy=hierarchical", "strategy.reading.window=64", "trainer.precision=bf16"),
    "textrank": ("strategy=textrank", "context=96"),
    "textrank-bm25": ("strategy=textrank", "context=96", "strategy.reading.method=bm25"),
    "selective_context": ("strategy=selective_context",),
    "selective_context-token": ("strategy=selective_context", "context=96", "strategy.reading.unit=token"),
}


USUAL = {"hierarchical", "textrank", "selective_context"}
"""The others go through the same code, and are slow tests."""


def weights(run):
    return load_file(run / result(run)["checkpoint"] / "model.safetensors")


@pytest.fixture(
    scope="module", params=[name if name in USUAL else pytest.param(name, marks=pytest.mark.slow) for name in CASES]
)
def case(request, tmp_path_factory):
    """A finished run that tests must not change."""
    folder = tmp_path_factory.mktemp("readings") / "run"
    assert train(folder, *CASES[request.param], *SHORT) == 0
    return request.param, folder


@pytest.mark.by_default("hierarchical")
def test_eval_gives_the_scores_of_training(case, tmp_path):
    name, run = case
    assert result(run)["strategy"] == name.split("-")[0]
    assert main(["eval", f"run={run}", "split=test", f"hydra.run.dir={tmp_path / 'e'}"]) == 0
    for key in ("metrics", "coverage"):
        assert result(tmp_path / "e")[key]["test"] == result(run)[key]["test"]
    predictions = [(folder / "predictions" / "test.jsonl").read_text() for folder in (run, tmp_path / "e")]
    assert predictions[0] == predictions[1]


@pytest.mark.by_default(1)
def test_predict_answers_every_word(case, tmp_path):
    _, run = case
    source, output = tmp_path / "d.jsonl", tmp_path / "o.jsonl"
    source.write_text(json.dumps({"tokens": ["Port", "Brisk", "."] * 200}) + "\n" + json.dumps({"tokens": ["a"]}))
    assert (
        main(["predict", f"run={run}", f"input={source}", f"output={output}", f"hydra.run.dir={tmp_path / 'p'}"]) == 0
    )
    assert [len(json.loads(line)["tags"]) for line in output.read_text().splitlines()] == [600, 1]


def test_what_is_left_out_is_missed_and_reported(case):
    name, run = case
    coverage = result(run)["coverage"]["test"]
    if name.startswith("hierarchical"):
        assert coverage == {"tokens": 1.0, "labels": 1.0, "characters": 1.0}
    else:
        assert coverage["tokens"] < 0.6
        assert coverage["labels"] < 1


def test_the_achieved_ratio_stands_beside_the_requested_one(case):
    name, run = case
    notes = [note for note in result(run)["notes"] if "ratio=0.5 kept" in note]
    if not name.startswith("selective_context"):
        assert notes == []
        return
    (note,) = notes
    for split in ("validation", "test"):
        assert f"{result(run)['coverage'][split]['tokens']:.1%} of {split}" in note
    assert note in (run / "report.md").read_text()


def test_the_encoder_over_windows_is_trained_saved_and_needed(case, tmp_path, refused):
    name, run = case
    saved = weights(run)
    if name == "hierarchical":
        assert saved["ctxlab_parts.reading.out.weight"].any()
        AutoModelForTokenClassification.from_pretrained(run / result(run)["checkpoint"])  # the rest loads without us
        words = ["eval", f"run={run}", f"hydra.run.dir={tmp_path / 'e'}", "strategy.reading.num_layers=3"]
        assert "without this reading part of the strategy" in refused(words)
        assert main(["eval", f"run={run}", f"hydra.run.dir={tmp_path / 'c'}", "strategy=chunk", "context=64"]) == 0
    elif name == "selective_context":
        assert saved["ctxlab_parts.reading.counts"].sum() > 500


def test_the_published_weights_of_the_model_choose_the_least_informative_tokens(tmp_path):
    """The published weights give the same surprisal before and after training, so that a checkpoint keeps the same
    tokens."""
    run = tmp_path / "run"
    options = ("strategy=selective_context", "strategy.reading.scorer=model", "model=tiny_llama")
    assert train(run, *options) == 0
    assert main(["eval", f"run={run}", f"hydra.run.dir={tmp_path / 'eval'}"]) == 0
    assert result(tmp_path / "eval")["metrics"]["validation"] == result(run)["metrics"]["validation"]
    assert 0.45 < result(run)["coverage"]["validation"]["tokens"] < 0.55


def test_a_checkpoint_without_frequencies_uses_those_of_the_document(trained, tmp_path):
    words = ["eval", f"run={trained}", "strategy=selective_context", f"hydra.run.dir={tmp_path / 'e'}"]
    assert main(words) == 0
    assert "no token frequencies" in " ".join(result(tmp_path / "e")["notes"])


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("strategy=selective_context", "strategy.reading.ratio=0"), "ratio=0 must be above 0"),
        (("strategy=selective_context", "strategy.reading.scorer=model"), "or use strategy.reading.scorer=frequencies"),
        (("strategy=textrank", "strategy.reading.method=best"), "method=best is not one of"),
        (("strategy=hierarchical", "strategy.reading.window=0"), "window=0 must be at least 1 token"),
        (("strategy=hierarchical", "strategy.reading.window=400"), "window=400 is wider than context.length=256"),
        (("strategy=hierarchical", "strategy.reading.num_heads=7"), "num_heads=7 does not divide"),
        (("strategy=hierarchical", "strategy/memory=recurrent"), "use strategy/reading=segments"),
        (("strategy=textrank", "task=lm", "model=tiny_llama"), "use strategy/reading=chunk"),
    ],
)
def test_what_makes_no_sense_is_refused(options, words, tmp_path, refused):
    assert words in refused(["train", "task=ner", "model=tiny_bert", "context=256", "tracking=none",
                             f"hydra.run.dir={tmp_path / 'r'}", *options])  # fmt: skip
