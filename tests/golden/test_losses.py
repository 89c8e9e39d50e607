"""The losses of fixed tiny runs: a change that moves them must be intended.

Tolerance 1e-3 relative: other processors and thread counts round differently.
"""

import pytest

from ctxlab.tracking.metrics_file import read_metrics
from tests.stages.conftest import SMALL
from tests.training.runs import make_job

OPTIONS = {
    "truncate": ("context=128",),
    "chunk": ("context=64",),
    "dense": ("context=256", "model.trained_length=128"),
    "longformer": ("context=256", "model.trained_length=128", "strategy.attention.window=16"),
}

GOLDEN = {
    "truncate": [2.21663, 2.2164, 1.80371, 1.57354],
    "chunk": [2.2204, 2.22787, 1.84735, 1.5517],
    "dense": [2.15486, 2.16928, 1.82059, 1.59879],
    "longformer": [2.15477, 2.16924, 1.82042, 1.5985],
}
"""Losses of the first steps."""


@pytest.mark.parametrize("strategy", GOLDEN)
def test_losses_are_unchanged(strategy, tmp_path, monkeypatch):
    monkeypatch.setenv("CTXLAB_CACHE", str(tmp_path / "cache"))
    options = (*OPTIONS[strategy], f"strategy={strategy}", "optimizer.lr=3e-3", "trainer.log_every_steps=1")
    make_job(tmp_path / "run", *SMALL, *options).run()
    losses = [row["loss"] for row in read_metrics(tmp_path / "run" / "metrics.jsonl") if row["kind"] == "train"]
    assert losses == pytest.approx(GOLDEN[strategy], rel=1e-3)
