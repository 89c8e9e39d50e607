"""Reading the bytes of a file, decompressed according to its extension."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path

from ctxlab.core.errors import UserError

UNPACK: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}
"""Extension → decompression function."""


def bare(path: Path) -> Path:
    """Return ``path`` without an extension of a compression: ``train.jsonl.gz`` becomes ``train.jsonl``."""
    return path.with_suffix("") if path.suffix.lower() in UNPACK else path


def read_bytes(path: Path) -> bytes:
    """Return the decompressed content of a file.

    Raises:
        UserError: It is not compressed as its extension says.
    """
    data = path.read_bytes()
    unpack = UNPACK.get(path.suffix.lower())
    if unpack is None:
        return data
    try:
        return unpack(data)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise UserError(f"{path} does not unpack as {path.suffix} ({error}): compress the file again.") from None
