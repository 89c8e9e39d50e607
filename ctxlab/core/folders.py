"""Folders that are either whole or not there, with a checksum of every file in them.

A folder is written under another name, synced, given a manifest and renamed: a process that is killed leaves a
temporary folder, never half of one. Checksums are needed because flipped bits load silently in every tensor format.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ctxlab.core.files import sync_folder, write_json

MANIFEST = "manifest.json"
"""File of such a folder with the checksums of all others, by their path in it."""


def sha256(path: Path, *, sync: bool = False) -> str:
    """Checksum of a file; with ``sync`` its content is on the disk when this returns."""
    with path.open("rb") as file:
        if sync:
            os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums(folder: Path, *, sync: bool = False) -> dict[str, str]:
    """sha256 of every file in ``folder`` and in the folders in it, by its path there, but of the manifest."""
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {file.as_posix(): sha256(folder / file, sync=sync) for file in files if file != Path(MANIFEST)}


def write_whole(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make ``folder`` by ``fill``, which is given an empty one to write into, in place of the one that is there.

    One process at a time may do so. What a killed one left is swept up.

    Raises:
        OSError: The place cannot be written, or is full.
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
    """What is wrong with ``folder``, or None when every file of its manifest is there as it was written."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return "its manifest is missing"
    try:
        expected = dict(json.loads(manifest.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        return "its manifest is damaged"
    for name, checksum in expected.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if sha256(path) != checksum:
            return f"{name} is damaged (its checksum does not match)"
    return None


def is_whole(folder: Path) -> bool:
    """Whether ``folder`` is there as it was written, and nothing was added."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return bool(found == checksums(folder))
    except (OSError, ValueError):
        return False
