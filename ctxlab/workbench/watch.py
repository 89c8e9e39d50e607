"""Progress display and tracker of a run, joined for the training loop."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from ctxlab.core.tracking import RunInfo, Tracker
from ctxlab.data.splits import Splits
from ctxlab.runtime.cost import MemoryMeter
from ctxlab.runtime.ranks import current
from ctxlab.tracking.console import ProgressDisplay, console, gibibytes, say
from ctxlab.tracking.guarded import Guarded
from ctxlab.tracking.none import NoTracking
from ctxlab.training.state import TrainState
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.parts import Parts


class TrainingWatcher:
    """Shows loss, tokens per second, memory and time left, and sends figures to the tracker."""

    def __init__(self, tracker: Tracker, memory: MemoryMeter) -> None:
        self._tracker, self._memory = tracker, memory
        self._display = ProgressDisplay("train")
        self._progress, self._facts = 0.0, ""

    def __enter__(self) -> "TrainingWatcher":
        self._display.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._display.__exit__(kind, error, trace)

    def step(self, progress: float, state: TrainState) -> None:
        """Update the progress bar."""
        self._progress = progress
        self._display.update(progress, f"step {state.step} {self._facts}")

    def row(self, row: Mapping[str, Any]) -> None:
        """Show a logged point and send it to the tracker."""
        figures = {name: value for name, value in row.items() if name not in ("kind", "step")}
        if row["kind"] == "train":
            memory_bytes = self._memory.peak_bytes()
            self._facts = (
                f"loss {row['loss']:.4f} · {row['tokens_per_second']:,.0f} tokens/s · {gibibytes(memory_bytes)}"
            )
            figures["peak_memory_bytes"] = memory_bytes
        else:
            scores = " ".join(f"{name} {value:.4f}" for name, value in figures.items())
            self._display.update(self._progress, f"step {row['step']} {row['kind']}: {scores}", line=True)
        self._tracker.log({f"{row['kind']}/{name}": float(value) for name, value in figures.items()}, row["step"])


def open_tracker(parts: Parts, state: TrainState) -> Tracker:
    """Start the configured tracker in the first process; a resumed run continues under its old id."""
    tracker, origin = Guarded(parts.tracker if current().leads else NoTracking()), parts.origin
    name = f"{origin.stage}-{parts.task.name}-{parts.strategy.name}-{parts.length}-{origin.run_dir.name[-6:]}"
    info = RunInfo(run_dir=origin.run_dir, name=name, group=origin.group, config=origin.config, run_id=state.tracker_id)
    state.tracker_id = tracker.start(info)
    return tracker


def announce(bench: Workbench, splits: Splits) -> None:
    """Print task, model, strategy, device and documents before training, and the notes so far."""
    sizes = ", ".join(
        f"{len(documents)} {name}"
        for name, documents in (("train", splits.training), ("validation", splits.validation), ("test", splits.test))
        if documents
    )
    screen = console()
    say(
        screen,
        f"{bench.task.name} · {bench.model.config.model_type} · {bench.strategy.name} · context {bench.length:,} · "
        f"{bench.accelerator.mixed_precision.replace('no', 'fp32')} on {bench.accelerator.device} · documents: {sizes}",
    )
    for note in dict.fromkeys(bench.task.notes):
        say(screen, f"note: {note}")
