"""A large file of JSON lines, of which only the places of its lines are in memory.

Opening it looks for line ends only, at about the speed of the disk; a line is read, decoded and checked when it is
asked for.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ctxlab.core.data import Record, RecordFile
from ctxlab.core.errors import UserError
from ctxlab.core.types import IntArray
from ctxlab.data.formats.known import converted
from ctxlab.data.identity import check_characters, with_id
from ctxlab.data.readers.encodings import is_disguised
from ctxlab.data.readers.jsonl import is_object, record_of
from ctxlab.data.readers.tally import Tally
from ctxlab.data.readers.text import not_utf8

EXTENSIONS = frozenset({".jsonl", ".ndjson", ".json"})

CHUNK_BYTES = 1 << 24
"""Bytes in memory at once while line ends are looked for, and most bytes of a first line that is recognised."""

SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
"""The escape of half of a surrogate pair."""

MARK = b"\xef\xbb\xbf"
"""Byte order mark of UTF-8."""


class JsonLines(RecordFile):
    """A file with a JSON object in every line."""

    def __init__(self, path: Path, task_name: str, max_records: int | None = None) -> None:
        """Find the lines of a file.

        Args:
            path: The file.
            task_name: The task that reads its records.
            max_records: Most lines that are used; None uses all.
        """
        self.name, self._path, self._task_name = path.name, path, task_name
        with path.open("rb") as file:
            self._identity = _identity(file.fileno())
            edges = _edges(file.fileno())
        sizes = np.diff(edges) - 1
        self._lines = np.flatnonzero(sizes >= len("{}"))[:max_records]  # (N,) numbers of lines, from 0
        self._starts, self._sizes = edges[:-1][self._lines] + 1, sizes[self._lines]
        self.num_bytes = int(self._sizes.sum())

    def __len__(self) -> int:
        return len(self._lines)

    def read(self, numbers: Sequence[int], notes: list[str]) -> list[list[Record]]:
        """Return the records in each of these lines; see ``core.data.RecordFile``."""
        tally = Tally()
        found: dict[int, list[Record]] = {}
        with self._path.open("rb") as file:
            if _identity(file.fileno()) != self._identity:
                raise UserError(f"{self._path} has changed while it was read: start again with the file as it is now.")
            for number in sorted(map(int, numbers)):  # in the order of the disk
                data = os.pread(file.fileno(), int(self._sizes[number]), int(self._starts[number]))
                found[number] = self._records(data, number, tally)
        notes.extend(f"{self.name}: {sentence}" for sentence in tally.sentences())
        return [found[int(number)] for number in numbers]

    def _records(self, data: bytes, number: int, tally: Tally) -> list[Record]:
        line = int(self._lines[number])
        record = record_of(self._decoded(data, number, line), line + 1, self._path)
        if record is not None and SURROGATE.search(data):  # only an escape can be half of a pair in UTF-8
            check_characters(record)
        stem = f"{self._path.stem}-{line}"
        own = [] if record is None else list(converted([record], self._task_name, tally))
        return [with_id(one, f"{stem}-{part}" if part else stem) for part, one in enumerate(own)]

    def _decoded(self, data: bytes, number: int, line: int) -> str:
        try:
            return data.removeprefix(MARK if line == 0 else b"").decode()
        except UnicodeDecodeError as error:
            raise not_utf8(
                self._path, data, error.start, lines_before=line, bytes_before=int(self._starts[number])
            ) from None


def has_json_lines(path: Path, least_bytes: int) -> bool:
    """Return whether a file of at least ``least_bytes`` begins with a JSON object in a line of its own."""
    if path.suffix.lower() not in EXTENSIONS or not path.is_file() or path.stat().st_size < least_bytes:
        return False
    with path.open("rb") as file:
        begin = file.read(CHUNK_BYTES)
    first, end, _ = begin.removeprefix(MARK).lstrip(b" \t\r\n").partition(b"\n")
    if is_disguised(begin[: 1 << 16]) or not end:
        return False
    try:
        return is_object(first.decode())
    except UnicodeDecodeError:
        return False


def _edges(handle: int) -> IntArray:
    """Return (lines + 1,) the places of the line ends of a file, with one before the first line and after the last."""
    places, offset = [np.asarray([-1], np.int64)], 0
    while data := os.pread(handle, CHUNK_BYTES, offset):
        places.append(np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + offset)
        offset += len(data)
    return np.concatenate([*places, [offset]])


def _identity(handle: int) -> tuple[int, int]:
    status = os.fstat(handle)
    return status.st_size, status.st_mtime_ns
