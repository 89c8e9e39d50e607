"""Why a trial ended without a result."""

import json
from dataclasses import dataclass
from pathlib import Path

from ctxlab.core import run_state

NOT_APPLICABLE = "not applicable"
"""The values cannot go together, or training with them cannot go on: the sweep goes on without them."""

FAILED = "failed"

KILLS = 12
"""A trial that was killed so often without coming to a new checkpoint is given up: it may need too much memory."""

FIRST = 3
"""Failed trials after which a sweep without a finished one ends."""

MISTAKE = 2
"""Exit status of a command that cannot be run as it was given."""

SIGNALLED = 128
"""Exit statuses above are those of processes that a signal ended."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A trial without a result."""

    reason: str
    """One sentence."""
    status: str
    """``NOT_APPLICABLE`` or ``FAILED``."""


def was_killed(status: int) -> bool:
    """Return whether a signal ended a process of this exit status."""
    return status < 0 or status > SIGNALLED


def failure(folder: Path, log: Path, status: int) -> Failure:
    """Return why a process of this exit status left no result.

    Args:
        folder: Run directory of the trial.
        log: Its output.
        status: Its exit status.
    """
    if was_killed(status):
        return Failure(f"it was killed {KILLS} times without coming to a new checkpoint.", FAILED)
    reason = run_state.failure(folder)
    if reason is None:
        reason = _last_line(log) or "it ended without a message."
    return Failure(reason, NOT_APPLICABLE if _status(folder, status) == MISTAKE else FAILED)


def _status(folder: Path, status: int) -> int:
    try:
        return int(json.loads((folder / run_state.FAILURE).read_text(encoding="utf-8"))["exit_status"])
    except (OSError, ValueError, KeyError, TypeError):
        return status


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
