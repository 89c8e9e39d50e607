"""The components of a training run, and the protocol of its observers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import torch

from ctxlab.config.keys.run import TrainerConfig
from ctxlab.core.objective import Objective
from ctxlab.core.optim import Schedule, Tuning
from ctxlab.core.strategy import Strategy
from ctxlab.core.task import Task
from ctxlab.training.averages import Averages
from ctxlab.training.state import TrainState
from ctxlab.training.stream import Stream


class Watcher(Protocol):
    """Observer of a training run, such as a progress display or tracker; a context manager around the run."""

    def __enter__(self) -> "Watcher":
        """Called before the first step."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Called after the last step."""
        ...

    def step(self, progress: float, state: TrainState) -> None:
        """Called after every step."""
        ...

    def row(self, row: Mapping[str, Any]) -> None:
        """Called at every logged point."""
        ...


@dataclass(frozen=True, eq=False)
class Job:
    """The components and settings of a training run."""

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
    document_ids: Sequence[str]
    """Id of each document that the items of the stream name by number."""
    target_place: str | None
    """Where target tokens are placed, see ``Passes``."""
    evaluate: Callable[[], dict[str, float]] | None
    """Scores the validation split; None if there is none."""
    configuration: Mapping[str, Any]
    """Groups that a resumed run may change, redacted; saved with the weights so that changes are reported."""
    peak_bytes: Callable[[], int]
    """Returns the peak memory of this process so far."""
    averages: Averages = field(default_factory=Averages)
    """Averaged weights, which are evaluated and exported; by default there are none."""
    data_notes: Callable[[], list[str]] = list
    """Returns notes on how training documents were changed."""
