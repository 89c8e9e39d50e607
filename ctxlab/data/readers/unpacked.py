"""Reading the bytes of a file, decompressed according to its extension or, without one, its first bytes."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from ctxlab.core.errors import UserError

Unpack = Callable[[BinaryIO], gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile]

UNPACK: dict[str, Unpack] = {
    ".gz": lambda file: gzip.GzipFile(fileobj=file),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
}
"""Extension → function that opens a compressed file."""

MOST_BYTES, MOST_TIMES = 2**26, 200
"""A file may unpack to so many bytes, or to so many times its size if that is more: no text compresses that well."""

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
        return _limited(unpack, data, path)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise UserError(f"{path} does not unpack as {path.suffix} ({error}): compress the file again.") from None


def _limited(unpack: Unpack, data: bytes, path: Path) -> bytes:
    """Decompress, but not a file of some kilobytes that would fill the memory."""
    most = max(MOST_BYTES, MOST_TIMES * len(data))
    with unpack(BytesIO(data)) as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise UserError(
            f"{path} unpacks to more than {most >> 20:,} MiB, {most // max(len(data), 1):,} times its size, as no text "
            "does: unpack it yourself and look at it."
        )
    return found
