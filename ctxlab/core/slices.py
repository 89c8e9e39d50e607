"""Rows that are computed a slice at a time, so that memory stops growing with them at the size of a slice."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_growth: ContextVar[float | None] = ContextVar("growth", default=None)


@contextmanager
def slice_of(rows: int, at_most: int) -> Iterator[None]:
    """Say that what is created inside belongs to a slice of ``rows`` rows, and that no slice has more than ``at_most``.

    Whoever extrapolates memory from short inputs asks ``growth``: more rows make more slices, not larger ones.
    """
    token = _growth.set(at_most / max(rows, 1))
    try:
        yield
    finally:
        _growth.reset(token)


def growth() -> float | None:
    """Return by how much at most a tensor that is created now is larger for longer inputs; None if without limit."""
    return _growth.get()
