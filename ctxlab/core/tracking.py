"""What a tracker owes a stage. A tracker may fail; a run never fails because of one."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctxlab.core.contract import Component


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a tracker is told when a run starts."""

    run_dir: Path
    name: str
    group: str
    """Jobs of one multirun share it."""
    config: Mapping[str, Any]
    """Resolved and redacted."""
    run_id: str | None = None
    """The tracker's own name for a run that goes on, as ``start`` returned it."""


class Tracker(Component, ABC):
    """One file under ``ctxlab/tracking`` a tracker."""

    @abstractmethod
    def start(self, info: RunInfo) -> str | None:
        """Open a run; returns the tracker's name for it, with which a resumed run goes on."""

    @abstractmethod
    def log(self, values: Mapping[str, float], step: int) -> None:
        """Figures of one step."""

    @abstractmethod
    def finish(self, result: Mapping[str, Any] | None, report: Path | None) -> None:
        """Close the run; ``result`` is None when it failed."""
