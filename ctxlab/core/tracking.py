"""Protocol of experiment trackers. A tracker may fail; a run never fails because of one."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctxlab.core.contract import Component


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Description of a run that a tracker receives at its start."""

    run_dir: Path
    name: str
    group: str
    """Name of the group; all jobs of a multirun have the same."""
    config: Mapping[str, Any]
    """Configuration, resolved and redacted."""
    run_id: str | None = None
    """For a resumed run, the tracker's own id as ``start`` returned it."""


class Tracker(Component, ABC):
    """An experiment tracker; each is one file under ``ctxlab/tracking``."""

    @abstractmethod
    def start(self, info: RunInfo) -> str | None:
        """Open a run; returns the tracker's id for it, which a resumed run passes back in ``RunInfo.run_id``."""

    @abstractmethod
    def log(self, values: Mapping[str, float], step: int) -> None:
        """Log the figures of one step."""

    def keep(self, files: Sequence[Path], kind: str) -> None:
        """Keep files, such as a report, as one artifact of a kind; a tracker without artifacts does nothing."""

    @abstractmethod
    def finish(self, result: Mapping[str, Any] | None, report: Path | None) -> None:
        """Close the run; ``result`` is None when it failed."""
