"""Training jobs as the command builds them, in this process and step by step."""

import signal
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ctxlab.command.compose import compose
from ctxlab.core.errors import Interrupted
from ctxlab.data.splits import Splits, load_documents
from ctxlab.training.loop import Trainer
from ctxlab.training.state import TrainState
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.opening import open_bench
from ctxlab.workbench.parts import Parts, Start, make_parts
from ctxlab.workbench.trainer import Validation, make_trainer

SMALL = (
    "task=ner", "model=tiny_bert", "strategy=chunk", "tracking=none", "context=64", "data.documents=6",
    "data.validation_documents=2", "data.test_documents=0", "data.words_per_document=120",
    "data.evidence_distance=[16]", "trainer.tokens_per_step=512", "trainer.precision=fp32",
)  # fmt: skip


class Watching(AbstractContextManager["Watching"]):
    """A watcher that records what it receives, and may end the run after a step as a cluster would."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.stop_after = stop_after
        self.progress: list[float] = []
        self.lengths: list[int] = []
        self.epochs: list[float] = []
        self.rates: list[float] = []
        self.rows: list[dict[str, Any]] = []

    def __exit__(self, *_: object) -> None:
        return None

    def step(self, progress: float, state: TrainState) -> None:
        self.progress.append(progress)
        self.lengths.append(state.length)
        self.epochs.append(state.epochs)
        self.rates.append(state.learning_rate)
        if state.step == self.stop_after:
            signal.raise_signal(signal.SIGTERM)

    def row(self, row: Any) -> None:
        self.rows.append(dict(row))


class Memory:
    """A memory meter that reports a given peak."""

    def __init__(self, peak: int) -> None:
        self.peak = peak

    def peak_bytes(self) -> int:
        return self.peak


@dataclass
class Job:
    """A run that is ready to start or to resume."""

    parts: Parts
    bench: Workbench
    documents: Splits
    trainer: Trainer
    state: TrainState
    watching: Watching

    def run(self) -> TrainState:
        """Run to the end, or until it is stopped."""
        try:
            self.trainer.run(self.state)
        except Interrupted:
            assert self.watching.stop_after is not None
        return self.state

    def weights(self) -> dict[str, Any]:
        return {name: tensor.clone() for name, tensor in self.bench.model.state_dict().items()}


def make_job(
    folder: Path,
    *options: str,
    resume: bool = False,
    stop_after: int | None = None,
    peak: int = 0,
    change: Callable[[Parts], Parts] = lambda parts: parts,
) -> Job:
    """The run that ``ctxlab train`` would start in ``folder``; later options win."""
    folder.mkdir(exist_ok=True)
    parts = change(make_parts(compose("train", _last(options)), folder))
    if resume:
        parts = replace(parts, start=Start(folder, "latest"))
    opened = open_bench(
        parts, lambda task: load_documents(parts.data, task, parts.seed, streams=True), learns=True, trains=True
    )
    watching = Watching(stop_after)
    documents = opened.documents
    validation = Validation(opened.bench, documents.validation)
    trainer = make_trainer(parts, opened.bench, documents.training, validation, watching, Memory(peak))
    if opened.checkpoint is not None:
        trainer.resume(opened.checkpoint, opened.state)
    return Job(parts, opened.bench, documents, trainer, opened.state, watching)


def stopped_and_resumed(folder: Path, *options: str, stop_after: int) -> tuple[Job, Job]:
    """One run in two jobs: the one that was stopped, and the one that resumed it to the end."""
    first = make_job(folder, *options, stop_after=stop_after)
    first.run()
    assert first.state.step == stop_after
    second = make_job(folder, *options, resume=True)
    second.run()
    return first, second


def with_objective(objective: Any) -> Callable[[Parts], Parts]:
    """A ``change`` for jobs: training minimises another objective."""
    return lambda parts: replace(parts, objective=objective)


def _last(options: Sequence[str]) -> list[str]:
    own = any(option.startswith("data.train_file") for option in options)
    small = [option for option in SMALL if not own or not option.startswith("data.")]
    chosen = {option.split("=")[0]: option for option in (*small, *options)}
    if "strategy" in chosen:  # a part stands behind the preset that it replaces
        chosen = {"strategy": chosen["strategy"], **chosen}
    return list(chosen.values())
