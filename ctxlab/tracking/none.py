"""No tracker."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ctxlab.core.tracking import RunInfo, Tracker


class NoTracking(Tracker):
    """Leaves ``metrics.jsonl`` as the only record."""

    def start(self, info: RunInfo) -> str | None:
        """Nothing to open."""
        return None

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Nothing to log to."""

    def finish(self, result: Mapping[str, Any] | None, report: Path | None) -> None:
        """Nothing to close."""
