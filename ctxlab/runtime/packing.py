"""Arrays as one array of bytes and back, without pickle: a JSON header with types and shapes, then their content.

Every part begins at a multiple of eight bytes, so that the arrays that are read are views of the bytes.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

ALIGNMENT = 8


def pack(arrays: Sequence[npt.NDArray[Any]]) -> Bytes:
    """Return the bytes of arrays of numbers."""
    header = json.dumps([[array.dtype.str, array.shape] for array in arrays]).encode()
    length = np.array([len(header)], np.int64)
    parts = [_raw(length), np.frombuffer(header, np.uint8), *map(_raw, arrays)]
    return np.concatenate([np.pad(part, (0, -len(part) % ALIGNMENT)) for part in parts])


def unpack(content: Bytes) -> list[npt.NDArray[Any]]:
    """Return the arrays in ``content``, which ``pack`` made and which may be longer; they share its memory."""
    length = int(content[:ALIGNMENT].view(np.int64)[0])
    start = _after(ALIGNMENT + length)
    arrays = []
    for kind, shape in json.loads(content[ALIGNMENT : ALIGNMENT + length].tobytes()):
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
        arrays.append(content[start : start + size].view(kind).reshape(shape))
        start = _after(start + size)
    return arrays


def _raw(array: npt.NDArray[Any]) -> Bytes:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _after(place: int) -> int:
    return place + -place % ALIGNMENT
