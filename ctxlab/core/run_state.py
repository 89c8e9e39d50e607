"""The state of a run, read from its directory alone, so that what started it can be killed and resumed."""

import errno
import fcntl
import json
import os
import shutil
from enum import StrEnum
from pathlib import Path

from ctxlab.core.errors import UserError
from ctxlab.core.result import FILE, Result, read

FAILURE = "failure.json"
"""File in the run directory of a failed run that contains the error message."""


FINISHED = ".hydra/finished"
"""Empty file that marks a finished stage."""

BARE = ("config.yaml", "failure.json", "metrics.jsonl", "study.lock", "tensorboard", "wandb")
"""Files of a run that has not started to work, besides logs and Hydra's folder; metrics only if empty, so that trackers
have none either."""


class State(StrEnum):
    """Progress of a run."""

    ABSENT = "absent"
    STARTED = "started"
    """The run can be resumed."""
    DONE = "done"


def state(folder: Path) -> State:
    """Return the progress of a run; a run directory that cannot be resumed is removed."""
    if (folder / FILE).is_file():
        return State.DONE
    if all((folder / ".hydra" / name).is_file() for name in ("overrides.yaml", "hydra.yaml", "config.yaml")):
        return State.STARTED
    if folder.exists():
        shutil.rmtree(folder)
    return State.ABSENT


def is_locked(folder: Path) -> bool:
    """Return whether a process is using the run directory."""
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
    """Return the sentence that says why the run failed; None if it left none."""
    try:
        return str(json.loads((folder / FAILURE).read_text(encoding="utf-8"))["error"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def outcome(folder: Path) -> Result | str:
    """Return the result of a run, or a sentence that says why there is none."""
    if not (folder / FILE).is_file():
        return failure(folder) or "it ended without a message: it was killed"
    try:
        return read(folder)
    except UserError as error:
        return str(error)


def is_bare(folder: Path, hidden: str = ".hydra") -> bool:
    """Return whether nothing in the run directory is worth keeping.

    Args:
        folder: The run directory.
        hidden: Name of Hydra's folder in it.
    """
    for path in folder.iterdir():
        if path.name == "metrics.jsonl" and path.stat().st_size:
            return False
        if path.name not in (*BARE, hidden) and path.suffix != ".log":
            return False
    return True


def way_on(folder: Path) -> str:
    """Return what to do once a training run can continue: resume it, or begin again if nothing of it is kept."""
    return "give the command again" if is_bare(folder) else f"continue with `ctxlab train resume={folder}`"
