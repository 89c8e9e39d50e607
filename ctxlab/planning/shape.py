"""The size of what a forward pass computes, in the terms that its cost is linear in."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt

Terms = npt.NDArray[np.float64]
"""One, tokens, pairs, target tokens and the pairs of one row, in this order."""

CONSTANT, TOKENS, PAIRS, TARGETS, ROW_PAIRS = range(5)
"""Indices of the terms."""


@dataclass(frozen=True, slots=True, order=True)
class Shape:
    """Tokens and attention of a forward pass, or of several linked ones."""

    tokens: int
    """Tokens with padding."""
    pairs: int
    """Pairs of query and key that one head of one layer computes."""
    targets: int = 0
    """Tokens of the decoder of an encoder-decoder."""
    row_pairs: int = 0
    """Pairs of one row: the size of what all rows share, such as a pattern of attention."""

    @property
    def terms(self) -> Terms:
        """Return (1, tokens, pairs, targets, row_pairs), by which costs are extrapolated."""
        return np.asarray([1.0, *astuple(self)])

    def __add__(self, other: "Shape") -> "Shape":
        return Shape(*(own + more for own, more in zip(astuple(self), astuple(other), strict=True)))

    def covers(self, other: "Shape") -> bool:
        """Return whether no term of ``other`` is larger."""
        return bool((self.terms >= other.terms).all())


def largest(shapes: Iterable[Shape]) -> list[Shape]:
    """Return the shapes that no other one covers: one of them has the highest cost."""
    found: list[Shape] = []
    for shape in sorted(set(shapes), reverse=True):
        if not any(other.covers(shape) for other in found):
            found.append(shape)
    return found


@dataclass(frozen=True, slots=True)
class Load:
    """The work of an epoch of training, from the lengths of the documents alone."""

    steps_per_epoch: int
    tokens_per_step: float
    """Mean tokens of a step, without padding."""
    terms_per_step: Sequence[float]
    """Mean sums of the terms of its forward passes; the first is their number."""
    longest_window: int
    """Tokens of the longest window."""
