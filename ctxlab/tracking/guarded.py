"""A wrapper that keeps errors of a tracker from stopping the run."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.tracking import RunInfo, Tracker

log = logging.getLogger(__name__)


class Guarded(Tracker):
    """Forwards calls to ``tracker``; after its first error it logs a warning and the run continues without it."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker: Tracker | None = tracker

    def start(self, info: RunInfo) -> str | None:
        """See Tracker.start; a UserError (such as a missing extra) is raised."""
        run_id: str | None = self._call(lambda tracker: tracker.start(info))
        return run_id

    def log(self, values: Mapping[str, float], step: int) -> None:
        """See Tracker.log."""
        self._call(lambda tracker: tracker.log(values, step))

    def keep(self, files: Sequence[Path], kind: str) -> None:
        """See Tracker.keep."""
        self._call(lambda tracker: tracker.keep(files, kind))

    def finish(self, result: Mapping[str, Any] | None, report: Path | None) -> None:
        """See Tracker.finish; a second call does nothing."""
        self._call(lambda tracker: tracker.finish(result, report))
        self._tracker = None

    def _call(self, action: Callable[[Tracker], Any]) -> Any:
        if self._tracker is None:
            return None
        try:
            return action(self._tracker)
        except UserError:
            raise
        except Exception as error:  # trackers raise errors of all kinds
            name = type(self._tracker).__name__
            log.warning("%s failed (%s: %s); the run continues without it.", name, type(error).__name__, error)
            self._tracker = None
            return None
