"""The losses of a fixed tiny run: whatever moves them must be meant.

Tolerance 1e-3 relative: other processors and thread counts round differently.
"""

import pytest

from ctxlab.tracking.metrics_file import read_metrics
from tests.stages.conftest import train

GOLDEN: dict[str, list[float]] = {
    "truncate": [],
    "chunk": [],
    "dense": [],
    "longformer": [],
}
"""Losses at steps 1 to 4, one document length and seed; context 128 reads each document in windows."""


@pytest.mark.parametrize("strategy", GOLDEN)
def test_losses_are_what_they_were(strategy, tmp_path, monkeypatch):
    monkeypatch.setenv("CTXLAB_CACHE", str(tmp_path / "cache"))
    assert train(tmp_path / "run", f"strategy={strategy}", "context=128", "trainer.log_every_steps=1") == 0
    losses = [row["loss"] for row in read_metrics(tmp_path / "run" / "metrics.jsonl") if row["kind"] == "train"]
    assert losses == pytest.approx(GOLDEN[strategy], rel=1e-3)
