"""The scores of a candidate by document and seed, in the form that comparisons need.

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
    """One figure of one candidate, computable for any weighting of the documents.

    Documents are the independent units: cases of one record are summed up before. All candidates of a comparison have
    the same documents and seeds, in the same order.
    """

    num_seeds: int
    num_documents: int
    reported: BoolArray
    """(S, N) which documents count for which seed; see ``data.folds``."""

    @abstractmethod
    def figures(self, weights: Counts) -> Counts:
        """Return the figure of each seed (R, S) if documents count ``weights`` (R, N) times."""

    @abstractmethod
    def mixed(self, other: Self, share: Counts) -> Counts:
        """Return the figure of each seed (R, S) if documents count ``share`` (R, N), and ``other``'s 1 − ``share``."""

    @abstractmethod
    def differs(self, other: Self) -> BoolArray:
        """Return (N,) whether a document's result differs from that in ``other``, for any seed."""

    def each_seed(self) -> Counts:
        """Return the figure of each seed (S,), every document counted once."""
        figures: Counts = self.figures(np.ones((1, self.num_documents)))[0]
        return figures

    def estimate(self) -> float:
        """Return the mean of the figure over seeds."""
        return float(self.each_seed().mean())


class CountScores(Scored):
    """A figure that is a function of sums over documents, such as F1, accuracy, BLEU or perplexity."""

    def __init__(self, counts: Counts, figure: Figure, reported: BoolArray | None = None) -> None:
        """Check shapes and remove documents that are not reported.

        Args:
            counts: (S, N, K) terms of each document in the sums.
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
        """Return (R, S, K) weighted sums over documents."""
        sums: Counts = np.tensordot(weights, self.counts, axes=(1, 1))
        return sums
