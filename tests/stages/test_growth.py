"""``model.growth``: a grown run is evaluated, begun with, compressed and continued as any other."""

import json

import pytest

from ctxlab.cli import main
from ctxlab.training import checkpoint
from tests.contracts.test_resume import assert_resumes
from tests.stages.conftest import result, train

GROWN = ("model.growth.layers=2", "model.growth.ffn=1.5", "model.hidden_size=32", "trainer.max_steps=2")
"""2 layers of width 32, then 4, with 192 hidden units instead of 128."""


def config(run):
    return json.loads((checkpoint.find(run, "best") / "config.json").read_text())


def sizes(run):
    found = config(run)
    return found["num_hidden_layers"], found["intermediate_size"]


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    run = tmp_path_factory.mktemp("growth") / "run"
    assert train(run, *GROWN, "strategy=chunk") == 0
    return run


def test_the_run_says_so_and_eval_gives_its_scores(grown, tmp_path):
    assert sizes(grown) == (4, 192)
    assert "model.growth added 2 layers after layer 1, 2 of 2" in " ".join(result(grown)["notes"])
    assert main(["eval", f"run={grown}", "split=test", f"hydra.run.dir={tmp_path / 'e'}"]) == 0
    assert result(tmp_path / "e")["metrics"]["test"] == result(grown)["metrics"]["test"]


def test_it_resumes_to_the_same_weights(tmp_path):
    assert_resumes(
        tmp_path / "run", "task=ner", "model=tiny_bert", "strategy=chunk", "model.growth.layers=1", "model.growth.ffn=2"
    )


def test_cost_counts_what_was_added(grown, tmp_path):
    assert train(tmp_path / "plain", *GROWN[2:], "strategy=chunk") == 0
    costs = [result(run)["cost"] for run in (tmp_path / "plain", grown)]
    width, units, added = 32, 192, 64
    layer = 4 * (width**2 + width) + 2 * width * units + units + width + 4 * width
    assert costs[1]["parameters"] - costs[0]["parameters"] == 2 * layer + 2 * added * (2 * width + 1)
    assert costs[1]["flops"] > 2 * costs[0]["flops"]


@pytest.mark.slow
def test_another_run_begins_with_it_as_it_is_or_grows_it_further(grown, tmp_path):
    words = (f"start={grown}", "strategy=chunk", "trainer.max_steps=1")
    assert train(tmp_path / "same", *words) == 0
    assert sizes(tmp_path / "same") == (4, 192)
    assert train(tmp_path / "more", *words, "model.growth.layers=1") == 0
    assert sizes(tmp_path / "more") == (5, 192)
    assert config(tmp_path / "more")["ctxlab"]["growth"] == {"layers": 3, "ffn": 1.5}


@pytest.mark.slow
def test_it_is_compressed(grown, tmp_path):
    words = ["compression=layers", "compression.layers=3", "tracking=none"]
    assert main(["compress", f"run={grown}", *words, f"hydra.run.dir={tmp_path / 'c'}"]) == 0
    assert sizes(tmp_path / "c") == (3, 192)


@pytest.mark.slow
def test_verify_shows_that_local_attention_reaches_further(tmp_path):
    """A token of a model of 2 layers that sees 4 tokens on each side reaches 8, and 16 with two layers more."""
    words = ("model=tiny_bert", "context=64", "strategy.attention.window=4", "strategy.attention.num_global=0")
    words = ["verify", *words, "model.growth.layers=2", "data.documents=2", "tracking=none"]
    assert main([*words, f"hydra.run.dir={tmp_path / 'v'}"]) == 0
    assert result(tmp_path / "v")["passed"]


@pytest.mark.slow
def test_positions_keep_their_limit_and_the_report_says_so(tmp_path):
    words = ("model.growth.layers=1", "model.trained_length=64", "strategy=chunk", "trainer.max_steps=1")
    assert train(tmp_path / "run", *words) == 0
    assert "model.growth adds layers and hidden units, and moves no limit of positions" in " ".join(
        result(tmp_path / "run")["notes"]
    )


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("model.growth.layers=-1", "model.growth.layers=-1 must be 0 or more"),
        ("model.growth.layer=1", "did you mean 'model.growth.layers'?"),
        ("model.growth.ffn=wide", "model.growth.ffn=wide is not a value such as 1.0"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(word, said, tmp_path, refused):
    assert said in refused(["train", "model=tiny_bert", word, f"hydra.run.dir={tmp_path / 'x'}"])
    assert not (tmp_path / "x").exists()
