"""Bytes of a file, unpacked where its name says that it is compressed."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path

from ctxlab.core.errors import UserError

UNPACK: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}
"""Extension to what undoes it."""


def bare(path: Path) -> Path:
    """``path`` without an extension that says how the file is compressed: ``train.jsonl.gz`` is ``train.jsonl``."""
    return path.with_suffix("") if path.suffix.lower() in UNPACK else path


def read_bytes(path: Path) -> bytes:
    """What the file holds, unpacked.

    Raises:
        UserError: It is not compressed as its name says.
    """
    data = path.read_bytes()
    unpack = UNPACK.get(path.suffix.lower())
    if unpack is None:
        return data
    try:
        return unpack(data)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise UserError(f"{path} does not unpack as {path.suffix} ({error}): compress the file again.") from None
