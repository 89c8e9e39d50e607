"""What a candidate scored, document by document and seed by seed, in the form that every comparison needs.

Shape legend: S seeds, N documents, K counts per document, R weightings of the documents.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Self

import numpy as np

from ctxlab.core.types import BoolArray
from ctxlab.evaluation.statistics import Counts

Figure = Callable[[Counts], Counts]
"""Summed counts (…, K) to figures (…)."""


class Scored(ABC):
    """One figure of one candidate, for any weighting of the documents.

    Documents are the units that are independent of one another: cases of one record are summed up before. All
    candidates of a comparison have the same documents and as many seeds, in the same order.
    """

    num_seeds: int
    num_documents: int
    reported: BoolArray
    """(S, N) which documents count for which seed; see ``data.folds``."""

    @abstractmethod
    def figures(self, weights: Counts) -> Counts:
        """Figure of each seed (R, S) when documents count ``weights`` (R, N) times."""

    @abstractmethod
    def mixed(self, other: Self, share: Counts) -> Counts:
        """Figure of each seed (R, S) when documents count ``share`` (R, N), and those of ``other`` 1 − ``share``."""

    @abstractmethod
    def differs(self, other: Self) -> BoolArray:
        """(N,) whether a document has another result here than in ``other``, under any seed."""

    def each_seed(self) -> Counts:
        """Figure of each seed (S,), every document once."""
        figures: Counts = self.figures(np.ones((1, self.num_documents)))[0]
        return figures

    def estimate(self) -> float:
        """Mean of the figure over seeds."""
        return float(self.each_seed().mean())


class CountScores(Scored):
    """A figure that is a function of sums over documents, as F1, accuracy, BLEU or perplexity are."""

    def __init__(self, counts: Counts, figure: Figure, reported: BoolArray | None = None) -> None:
        """Check shapes and remove what is not reported.

        Args:
            counts: (S, N, K) what each document adds to the sums.
            figure: Summed counts (…, K) to figures (…).
            reported: (S, N) which documents count for which seed; None for all.

        Raises:
            ValueError: If a shape does not fit, or a count is not finite.
        """
        table = np.asarray(counts, dtype=np.float64)
        if table.ndim != 3 or 0 in table.shape:
            raise ValueError(f"counts of seeds, documents and sums are expected, but their shape is {table.shape}")
        if not np.isfinite(table).all():
            raise ValueError("counts that are not finite cannot be compared")
        self.num_seeds, self.num_documents = table.shape[:2]
        self.reported = np.ones(table.shape[:2], bool) if reported is None else np.asarray(reported, bool)
        if self.reported.shape != table.shape[:2] or not self.reported.any(axis=1).all():
            raise ValueError(f"reported needs the shape {table.shape[:2]} and a document for every seed")
        self.counts = np.where(self.reported[..., None], table, 0.0)
        self.figure = figure

    def figures(self, weights: Counts) -> Counts:
        """See ``Scored``."""
        return self.figure(self._sums(weights))

    def mixed(self, other: Self, share: Counts) -> Counts:
        """See ``Scored``."""
        return self.figure(self._sums(share) + other._sums(1 - share))

    def differs(self, other: Self) -> BoolArray:
        """See ``Scored``."""
        found: BoolArray = (self.counts != other.counts).any(axis=(0, 2))
        return found

    def _sums(self, weights: Counts) -> Counts:
        """(R, S, K)"""
        sums: Counts = np.tensordot(weights, self.counts, axes=(1, 1))
        return sums
