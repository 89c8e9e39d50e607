"""Atomic writing of folders: a folder is either complete or absent, with a checksum of every file in it.

A folder is written under another name, synced, given a manifest and renamed: a process that is killed leaves a
temporary folder, never half a folder. Checksums are needed because every tensor format loads flipped bits silently.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ctxlab.core.files import sync_folder, write_json

MANIFEST = "manifest.json"
"""File of such a folder that maps the relative path of every other file to its checksum."""


THREADS = 2
"""Files whose checksums are computed at the same time."""


def sha256(path: Path, *, sync: bool = False) -> str:
    """Return the checksum of a file; ``sync`` also syncs its content to disk."""
    with path.open("rb") as file:
        if sync:
            os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums(folder: Path, *, sync: bool = False) -> dict[str, str]:
    """Return the sha256 of every file below ``folder`` except the manifest, by relative path."""
    found = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    files = [file for file in found if file != Path(MANIFEST)]
    with ThreadPoolExecutor(THREADS) as pool:
        sums = pool.map(lambda file: sha256(folder / file, sync=sync), files)
        return {file.as_posix(): checksum for file, checksum in zip(files, sums, strict=True)}


def write_whole(folder: Path, fill: Callable[[Path], None]) -> None:
    """Replace ``folder`` by what ``fill`` writes into the empty folder that it is called with.

    Only one process at a time may do so. Temporary folders of a killed process are removed.

    Raises:
        OSError: The folder cannot be written, or the disk is full.
    """
    temporary = folder.with_name(f".saving-{folder.name}")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        fill(temporary)
        write_json(temporary / MANIFEST, checksums(temporary, sync=True))
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def fault(folder: Path) -> str | None:
    """Return what is wrong with ``folder``, or None if every file of its manifest is there and unchanged."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return "its manifest is missing"
    try:
        expected = dict(json.loads(manifest.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        return "its manifest is damaged"
    missing = [name for name in expected if not (folder / name).is_file()]
    if missing:
        return f"{missing[0]} is missing"
    with ThreadPoolExecutor(THREADS) as pool:
        sums = pool.map(lambda name: sha256(folder / name), expected)
        damaged = [name for name, found in zip(expected, sums, strict=True) if found != expected[name]]
    return f"{damaged[0]} is damaged (its checksum does not match)" if damaged else None


def is_whole(folder: Path) -> bool:
    """Return whether ``folder`` has exactly the files of its manifest, all unchanged."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return bool(found == checksums(folder))
    except (OSError, ValueError):
        return False
