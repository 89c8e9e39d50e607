"""Where what was made once is kept, and folders there that are either whole or not there."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

MANIFEST = "manifest.json"
"""Checksum of every other file of a folder that ``keep`` made."""


def cache_dir() -> Path:
    """``CTXLAB_CACHE``, else ``ctxlab`` in the user's cache folder."""
    if chosen := os.environ.get("CTXLAB_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "ctxlab"


def checksums(folder: Path) -> dict[str, str]:
    """sha256 of every file in ``folder``."""
    sums = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            sums[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return sums


def is_whole(folder: Path) -> bool:
    """Whether ``folder`` is there with every byte that ``keep`` put into it."""
    try:
        found = checksums(folder)
        del found[MANIFEST]
        return bool(json.loads((folder / MANIFEST).read_text(encoding="utf-8")) == found)
    except (OSError, ValueError, KeyError):
        return False


def keep(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make ``folder`` by ``fill``, which is given an empty one to write into, unless it is whole already.

    It appears by a rename, so that a process that is killed leaves nothing half made. Of several processes one does
    the work while the others wait.

    Raises:
        OSError: The place cannot be written, or is full.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_name(f".{folder.name}.lock")):
        if is_whole(folder):  # another process was faster
            return
        temporary = folder.with_name(f".{folder.name}.writing")
        shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed, as the lock is ours
        temporary.mkdir()
        try:
            fill(temporary)
            (temporary / MANIFEST).write_text(json.dumps(checksums(temporary), indent=2), encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Alone among processes; the system lets go of the lock of one that dies."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
