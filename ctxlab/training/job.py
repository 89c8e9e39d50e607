"""What a training run is made of, and who follows it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import torch

from ctxlab.config.schema import TrainerConfig
from ctxlab.core.objective import Objective
from ctxlab.core.optim import Schedule, Tuning
from ctxlab.core.strategy import Strategy
from ctxlab.core.task import Task
from ctxlab.training.state import TrainState
from ctxlab.training.stream import Stream


class Watcher(Protocol):
    """Who wants to know how the run goes: a progress display, a tracker; a context manager around the run."""

    def __enter__(self) -> "Watcher":
        """Before the first step."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """After the last one."""
        ...

    def step(self, progress: float, state: TrainState) -> None:
        """After every step."""
        ...

    def row(self, row: Mapping[str, Any]) -> None:
        """At every logged point."""
        ...


@dataclass(frozen=True, eq=False)
class Job:
    """All that a training run is made of."""

    run_dir: Path
    task: Task
    model: Any
    tokenizer: Any
    strategy: Strategy
    objective: Objective
    tuning: Tuning
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    learning_rate: float
    stream: Stream
    context_length: int
    settings: TrainerConfig
    seed: int
    document_ids: list[str]
    writes: str | None
    """Where targets go, see ``Passes``."""
    evaluate: Callable[[], dict[str, float]] | None
    """Scores on the validation split, or None where there is none."""
    configuration: Mapping[str, Any]
    """What a resumed run may change, by group, redacted: kept beside the weights so that a change is not forgotten."""
    peak_bytes: Callable[[], int]
    """Highest memory of this process so far."""
