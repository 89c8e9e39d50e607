"""What became of a cell, told by its run directory alone, so that a comparison can go on after it was killed."""

import errno
import fcntl
import json
import os
import shutil
from enum import StrEnum
from pathlib import Path

from ctxlab.core.errors import UserError
from ctxlab.core.result import FILE, Result, read

FOLDER = "cells"
"""Of the run directories, in that of the comparison."""

LOGS = "logs"
"""Of what the cells printed."""

LOW_SHARE = 0.9
"""Share of its threads' time below which a cell had to wait for other processes."""


class State(StrEnum):
    """How far a cell has come."""

    ABSENT = "absent"
    BEGUN = "begun"
    """It can go on from where it is."""
    DONE = "done"


def state(folder: Path) -> State:
    """How far the cell has come; what was killed before it could be gone on with is removed."""
    if (folder / FILE).is_file():
        return State.DONE
    if all((folder / ".hydra" / name).is_file() for name in ("overrides.yaml", "hydra.yaml", "config.yaml")):
        return State.BEGUN
    if folder.exists():
        shutil.rmtree(folder)
    return State.ABSENT


def is_held(folder: Path) -> bool:
    """Whether a process works in the run directory."""
    if not folder.is_dir():
        return False
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in (errno.EAGAIN, errno.EACCES)
    finally:
        os.close(handle)
    return False


def failure(folder: Path) -> str | None:
    """Why the cell failed, in a sentence; None where it did not say."""
    try:
        return str(json.loads((folder / "failure.json").read_text(encoding="utf-8"))["error"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def outcome(folder: Path) -> Result | str:
    """The result of a cell, or why there is none."""
    if not (folder / FILE).is_file():
        return failure(folder) or "it ended without a word: it was killed"
    try:
        return read(folder)
    except UserError as error:
        return str(error)


def cpu_share(result: Result) -> float | None:
    """Share of its threads' time that training got; None where that is not known."""
    cost = result.cost
    if not (cost.train_cpu_seconds and cost.train_seconds and cost.threads):
        return None
    return cost.train_cpu_seconds / (cost.train_seconds * cost.threads)
