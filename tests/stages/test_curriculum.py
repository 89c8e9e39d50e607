"""Curricula through the real command: the context grows to its full length, and a resumed run is bit-identical."""

import json

import pytest

from ctxlab.cli import main
from tests.stages.conftest import result, train

GROWING = ("strategy=progressive", "context=256", "trainer.max_steps=8", "trainer.log_every_steps=1",
           "trainer.tokens_per_step=512", "trainer.save_every_steps=3", "trainer.eval_every_steps=4",
           "trainer.keep_checkpoints=9")  # fmt: skip


def lengths(folder):
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row["context_length"] for row in rows if row["kind"] == "train"]


def test_the_context_grows_by_shares_of_the_steps(tmp_path):
    assert train(tmp_path / "run", *GROWING) == 0
    assert lengths(tmp_path / "run") == [32, 32, 64, 64, 128, 128, 256, 256]
    assert result(tmp_path / "run")["coverage"]["test"]["tokens"] == 1.0


def test_by_document_trains(tmp_path):
    assert train(tmp_path / "run", "strategy=chunk", "strategy/curriculum=by_document") == 0
    assert result(tmp_path / "run")["cost"]["padding_share"] <= 0.05


@pytest.mark.slow
def test_growing_reaches_the_loss_of_constant_at_lower_cost(tmp_path):
    """As Press et al. 2021 report: the same tokens, less attention. Cost in counted operations, as clocks are noisy."""
    budget = ("task=lm", "model=tiny_llama", "tracking=none", "context=1024", "data.documents=60", "seed=2",
              "data.validation_documents=6", "data.test_documents=1", "data.words_per_document=1200",
              "trainer.max_tokens=1000000", "trainer.tokens_per_step=4096", "optimizer.lr=3e-3",
              "trainer.precision=fp32")  # fmt: skip
    found = {}
    for name in ("constant", "progressive"):
        run = tmp_path / name
        words = ["train", *budget, "strategy=chunk", f"strategy/curriculum={name}", f"hydra.run.dir={run}"]
        assert main(words) == 0
        found[name] = result(run)["metrics"]["validation"]["bits_per_character"], result(run)["cost"]["flops"]
    assert found["progressive"][0] < 1.02 * found["constant"][0]
    assert found["progressive"][1] < 0.85 * found["constant"][1]


@pytest.mark.slow
def test_a_stage_without_room_for_tokens_is_named(refused, tmp_path):
    """The stage's context is too short; a longer context for the run would not help."""
    options = ("task=nli", "model=tiny_bert", "tracking=none", "strategy=progressive", "context=96", "data.documents=3",
               "data.validation_documents=2", "data.test_documents=2", "data.words_per_document=60",
               "data.evidence_distance=[16]", "data.ambiguous_share=0.5")  # fmt: skip
    says = refused(["train", *options, f"hydra.run.dir={tmp_path / 'r'}"])
    assert "A stage of strategy/curriculum is too short (context.length=16 leaves no room" in says
    assert main(["train", *options, "strategy/curriculum=constant", "trainer.max_steps=1",
                 f"hydra.run.dir={tmp_path / 'c'}"]) == 0  # fmt: skip
