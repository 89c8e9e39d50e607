"""Atomic writing of folders: a folder is either complete or absent, with a checksum of every file in it.

A folder is written under another name, synced, given a manifest and renamed: a process that is killed leaves a
temporary folder, never half a folder. Checksums are needed because every tensor format loads flipped bits silently.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ctxlab.core.files import sync_folder, write_json

MANIFEST = "manifest.json"
"""File of such a folder that maps the relative path of every other file to its checksum."""


def sha256(path: Path, *, sync: bool = False) -> str:
    """Return the checksum of a file; ``sync`` also syncs its content to disk."""
    with path.open("rb") as file:
        if sync:
            os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums(folder: Path, *, sync: bool = False) -> dict[str, str]:
    """Return the sha256 of every file below ``folder`` except the manifest, by relative path."""
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {file.as_posix(): sha256(folder / file, sync=sync) for file in files if file != Path(MANIFEST)}


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
    for name, checksum in expected.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if sha256(path) != checksum:
            return f"{name} is damaged (its checksum does not match)"
    return None


def is_whole(folder: Path) -> bool:
    """Return whether ``folder`` has exactly the files of its manifest, all unchanged."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return bool(found == checksums(folder))
    except (OSError, ValueError):
        return False
