"""Fast, reproducible random choices."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from ctxlab.core.types import IntArray

T = TypeVar("T")

SPLITS = ("train", "validation", "test")


class Draw:
    """Random choices, a pure function of (seed, split, index); no global state."""

    def __init__(self, seed: int, split: str, index: int) -> None:
        self._random = np.random.default_rng((seed % 2**63, SPLITS.index(split), index))

    def share(self) -> float:
        """Draw a number from 0 to 1, the latter not included."""
        return float(self._random.random())

    def below(self, count: int) -> int:
        """Draw an integer from 0 to ``count``, the latter not included."""
        return int(self._random.random() * count)

    def one(self, choices: Sequence[T]) -> T:
        """Draw one of the choices."""
        return choices[self.below(len(choices))]

    def shuffled(self, choices: Sequence[T]) -> list[T]:
        """Return all choices in random order."""
        order = np.argsort(self._random.random(len(choices)), kind="stable")
        return [choices[i] for i in order.tolist()]  # numpy's own integers index a list at half the speed

    def many(self, count: int, below: int) -> IntArray:
        """Draw ``count`` integers from 0 to ``below``, the latter not included."""
        return self._random.integers(0, below, count)

    def different(self, count: int, below: int) -> IntArray:
        """Draw ``count`` different integers from 0 to ``below``, the latter not included, in random order."""
        return self._random.choice(below, count, replace=False)
