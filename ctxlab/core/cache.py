"""Where what was made once is kept."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ctxlab.core.folders import is_whole, write_whole

LOCK = ".lock"
"""File beside the folders that ``keep`` made."""


def cache_dir() -> Path:
    """``CTXLAB_CACHE``, else ``ctxlab`` in the user's cache folder."""
    if chosen := os.environ.get("CTXLAB_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "ctxlab"


def keep(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make ``folder`` by ``fill``, which is given an empty one to write into, unless it is whole already.

    Of several processes one does the work while the others wait.

    Raises:
        OSError: The place cannot be written, or is full.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_name(LOCK)):
        if not is_whole(folder):  # else another process was faster
            write_whole(folder, fill)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Alone among processes; the system lets go of the lock of one that dies."""
    handle = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)  # readable: a cache may be shared
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
