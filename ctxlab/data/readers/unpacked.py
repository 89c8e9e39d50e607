"""Reading the bytes of a file, decompressed according to its extension or, without one, its first bytes."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path

from ctxlab.core.errors import UserError

UNPACK: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}
"""Extension → decompression function."""

_MAGIC = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ\0": ".xz"}
"""First bytes → extension."""

_ARCHIVES = {b"PK\x03\x04": "a zip archive or an Excel workbook", b"PAR1": "a Parquet file", b"%PDF": "a PDF"}
"""First bytes of files that are no text, and what they are."""


def bare(path: Path) -> Path:
    """Return ``path`` without an extension of a compression: ``train.jsonl.gz`` becomes ``train.jsonl``."""
    return path.with_suffix("") if path.suffix.lower() in UNPACK else path


def read_bytes(path: Path) -> bytes:
    """Return the decompressed content of a file.

    Raises:
        UserError: It is not compressed as its extension says, or is the file of another program under a text's name.
    """
    data = path.read_bytes()
    other = next((what for first, what in _ARCHIVES.items() if data.startswith(first)), None)
    if other is not None:
        raise UserError(f"{path} is {other} and no text: give it the extension of its kind, or convert it.")
    found = next((extension for first, extension in _MAGIC.items() if data.startswith(first)), "")
    unpack = UNPACK.get(path.suffix.lower()) or UNPACK.get(found)
    if unpack is None:
        return data
    try:
        return unpack(data)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise UserError(f"{path} does not unpack as {path.suffix} ({error}): compress the file again.") from None
