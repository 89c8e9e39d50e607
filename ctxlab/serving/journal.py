"""Files of the journal of jobs: written atomically, for their owner alone, in a folder of one server."""

import fcntl
import os
from pathlib import Path
from typing import TextIO

from ctxlab.core.errors import UserError
from ctxlab.core.files import sync_folder
from ctxlab.serving.frames import Frame, received

LOCK = "lock"
"""File that marks a folder as used."""


def unlock(folder: Path, file: TextIO) -> None:
    """Let another server use a folder, which is removed if there is nothing in it."""
    if file.closed:
        return
    if {path.name for path in folder.iterdir()} == {LOCK}:
        (folder / LOCK).unlink()
        folder.rmdir()
    file.close()


def locked(folder: Path) -> TextIO:
    """Return the file that marks the folder as used, until it is closed."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (folder / LOCK).open("a")
    except OSError as error:
        raise UserError(
            f"serve.jobs={folder} cannot be used ({str(error.strerror).lower()}): give another folder."
        ) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise UserError(f"serve.jobs={folder} is used by another server: give another folder, or stop it.") from None
    return file


def write(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, atomically and synced to disk."""
    temporary = path.with_name(f"{path.name}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def read(path: Path) -> Frame | None:
    """Return what a file has; None if it is not there or not whole."""
    try:
        with path.open("rb") as file:
            return received(file)
    except (OSError, ValueError):
        return None
