"""The cache folder, and folders in it that are computed once."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ctxlab.core.folders import is_whole, write_whole

LOCK = ".lock"
"""Lock file beside the folders that ``make_once`` fills."""


def cache_dir() -> Path:
    """Return ``CTXLAB_CACHE``, else ``ctxlab`` in the user's cache folder."""
    if chosen := os.environ.get("CTXLAB_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "ctxlab"


def make_once(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill ``folder`` by calling ``fill`` with an empty folder to write into, unless it is complete already.

    Of several processes one does the work while the others wait for it.

    Raises:
        OSError: The folder cannot be written, or the disk is full.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_name(LOCK)):
        if not is_whole(folder):  # else another process has just made it
            write_whole(folder, fill)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes; the system releases the lock of a process that dies."""
    handle = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)  # readable: a cache may be shared
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
