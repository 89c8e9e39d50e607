"""No tracker."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ctxlab.core.tracking import RunInfo, Tracker


class NoTracking(Tracker):
    """A tracker that does nothing; ``metrics.jsonl`` is the only record."""

    def start(self, info: RunInfo) -> str | None:
        """Do nothing."""
        return None

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Do nothing."""

    def finish(self, result: Mapping[str, Any] | None, report: Path | None) -> None:
        """Do nothing."""
