"""What it costs that nothing is lost: a checkpoint, its verification, and the guards of a step."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from ctxlab.core.folders import fault
from ctxlab.training import checkpoint, saving, spikes
from ctxlab.training.faults import check_finite
from ctxlab.training.loop import Trainer
from ctxlab.training.state import TrainState
from scripts.bench.loop import loop
from scripts.bench.timing import alternate, row

WORDS = (
    "task=ner", "model=minilm", "context=4096", "strategy=longformer", "data.documents=16", "data.test_documents=0",
    "data.validation_documents=1", "tracking=none", "trainer.keep_checkpoints=1",
)  # fmt: skip

STEPS, ROUNDS, CALLS = 6, 5, 1000


def measure(_: Path) -> list[dict[str, Any]]:
    """Measure a run of MiniLM at 4,096 tokens."""
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base)
        trainer = loop(WORDS, folder)[0]
        state, seconds = TrainState(), []
        for _step in range(STEPS):
            epoch, progress = trainer._position(state)
            started = perf_counter()
            trainer._step(state, epoch, progress)
            seconds.append(perf_counter() - started)
        return [*_checkpoints(trainer, state, folder), _guards(trainer, state, median(seconds[2:]))]


def _checkpoints(trainer: Trainer, state: TrainState, folder: Path) -> list[dict[str, Any]]:
    def save() -> None:
        state.step += 1
        saving.save(trainer.job, state, None)

    save()
    written = checkpoint.latest_valid(folder)
    assert written is not None
    files = [path.read_bytes() for path in written.iterdir()]

    def copy() -> None:
        """Write and sync the same bytes, in place of those before."""
        target = folder / "plain"
        target.mkdir(exist_ok=True)
        for number, content in enumerate(files):
            with (target / str(number)).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())

    found = alternate({"save": save, "copy": copy}, ROUNDS)
    verified = _seconds(lambda: fault(checkpoint.find(folder, "latest")))
    size = sum(map(len, files)) / 1e6
    return [
        row(f"a checkpoint ({size:.0f} MB), time over writing and syncing the same bytes",
            found["save"] / found["copy"], at_most=1.5),
        row("… seconds, in which training waits", found["save"]),
        row("… its verification before it is loaded, seconds", verified, at_most=1.0),
    ]  # fmt: skip


def _guards(trainer: Trainer, state: TrainState, step_seconds: float) -> dict[str, Any]:
    """Measure what a step spends on looking for numbers that are not finite, spikes and signals."""
    ids = ["document"] * 8

    def guards() -> None:
        for _ in range(CALLS):
            check_finite("loss", 1.0, 1, ids)
            check_finite("gradient norm", 1.0, 1, ids)
            spikes.is_spike(1.0, 10.0, state)
            trainer.ranks.table([0.0] * 7)
            trainer._end_if_asked(state)

    return row("guards of a step, fraction of its time", _seconds(guards) / CALLS / step_seconds, at_most=0.01)


def _seconds(action: Callable[[], Any]) -> float:
    return alternate({"it": action}, ROUNDS)["it"]
