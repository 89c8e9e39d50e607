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
    "truncate": [2.21472, 2.21407, 1.79132, 1.57794],
    "chunk": [2.22385, 2.22439, 1.84107, 1.54226],
    "dense": [2.14906, 2.1674, 1.82303, 1.5996],
    "longformer": [2.14903, 2.16735, 1.82275, 1.59929],
}
"""Losses of the first steps."""


@pytest.mark.parametrize("strategy", GOLDEN)
def test_losses_are_unchanged(strategy, tmp_path, monkeypatch):
    monkeypatch.setenv("CTXLAB_CACHE", str(tmp_path / "cache"))
    options = (*OPTIONS[strategy], f"strategy={strategy}", "optimizer.lr=3e-3", "trainer.log_every_steps=1")
    make_job(tmp_path / "run", *SMALL, *options).run()
    losses = [row["loss"] for row in read_metrics(tmp_path / "run" / "metrics.jsonl") if row["kind"] == "train"]
    assert losses == pytest.approx(GOLDEN[strategy], rel=1e-3)
