"""Tokenised documents in one Arrow file, mapped into memory: only documents that are in use occupy some.

Each field of ``Encoded`` is a column; a document's values are copied out of the mapped file as it is asked for.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ctxlab.core.types import Encoded, FloatArray, IntArray

ARRAYS = (
    "input_ids",
    "word_ids",
    "labels",
    "marks",
    "starts",
    "ends",
    "target",
    "anchors",
    "evidence",
    "absent",
    "terms",
)
TUPLES = ("before", "after", "query", "query_terms")
NUMBERS = ("room", "num_characters", "num_unknown", "num_split", "member")
VECTORS, WIDTH = "numbers", "numbers_width"
"""Fields of ``Encoded``, by type; of the one with a row of floats per token, the column with their count."""

WIDE = frozenset({"labels", "marks"})
"""Fields whose values may not fit 32 bits: a label may be a set of labels, and a mark one of types, one bit each."""


def write(path: Path, encoded: Sequence[Encoded]) -> None:
    """Write documents to a new file.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """
    columns: dict[str, Any] = {name: _column(name, encoded) for name in (*ARRAYS, *TUPLES)}
    columns |= {name: pa.array([getattr(one, name) for one in encoded], pa.int64()) for name in NUMBERS}
    columns |= {VECTORS: _floats(encoded), WIDTH: pa.array([one.numbers.shape[1] for one in encoded], pa.int64())}
    batch = pa.record_batch(columns)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_batch(batch)


def _column(name: str, encoded: Sequence[Encoded]) -> pa.Array:
    rows = [np.asarray(getattr(one, name), np.int64) for one in encoded]
    values = pa.array(np.concatenate(rows)).cast(pa.int64() if name in WIDE else pa.int32())  # an error if too large
    return _lists(rows, values)


def _floats(encoded: Sequence[Encoded]) -> pa.Array:
    rows = [one.numbers.ravel() for one in encoded]
    return _lists(rows, pa.array(np.concatenate(rows), pa.float32()))


def _lists(rows: Sequence[npt.NDArray[Any]], values: pa.Array) -> pa.Array:
    ends = np.cumsum([len(row) for row in rows], dtype=np.int64)
    return pa.LargeListArray.from_arrays(pa.array(np.concatenate([[0], ends])), values)


class TokenFile(Sequence[Encoded]):
    """The documents of a file that ``write`` wrote."""

    def __init__(self, path: Path) -> None:
        """Map a file.

        Raises:
            pyarrow.ArrowException, OSError, KeyError: It is not such a file.
        """
        batch = pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
        self._count = int(batch.num_rows)
        self._lists = {name: _mapped(batch.column(name)) for name in (*ARRAYS, *TUPLES)}
        self._numbers = {name: batch.column(name).to_numpy() for name in NUMBERS}
        self._vectors, self._widths = _mapped(batch.column(VECTORS)), batch.column(WIDTH).to_numpy()

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Encoded: ...
    @overload
    def __getitem__(self, index: slice) -> list[Encoded]: ...
    def __getitem__(self, index: int | slice) -> Encoded | list[Encoded]:
        """Return a document, or some, as new objects."""
        chosen = range(self._count)[index]
        return self._document(chosen) if isinstance(chosen, int) else [self._document(place) for place in chosen]

    def _document(self, index: int) -> Encoded:
        arrays: dict[str, Any] = {name: self._values(name, index) for name in ARRAYS}
        tuples: dict[str, Any] = {name: tuple(self._values(name, index).tolist()) for name in TUPLES}
        numbers: dict[str, Any] = {name: int(column[index]) for name, column in self._numbers.items()}
        return Encoded(**arrays, **tuples, **numbers, numbers=self._rows(index))

    def _rows(self, index: int) -> FloatArray:
        """Return (L, F); no rows where F is 0."""
        edges, values = self._vectors
        found: FloatArray = values[edges[index] : edges[index + 1]].astype(np.float32)
        width = int(self._widths[index])
        return found.reshape(-1, width) if width else np.zeros((0, 0), np.float32)

    def _values(self, name: str, index: int) -> IntArray:
        edges, values = self._lists[name]
        return values[edges[index] : edges[index + 1]].astype(np.int64)


def _mapped(column: Any) -> tuple[IntArray, npt.NDArray[Any]]:
    """Return the first value of each document and their end (N + 1,), and all values, as views of the file."""
    return column.offsets.to_numpy(), column.values.to_numpy()
