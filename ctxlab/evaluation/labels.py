"""Figures of labelled documents, and the contribution of each document to them.

Shape legend: N documents, C classes, R weightings.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctxlab.evaluation.auroc import auroc
from ctxlab.evaluation.statistic import Figures, Statistic, Values
from ctxlab.evaluation.statistics import Counts, f1, ratio

CALIBRATION_BINS = 15

CORRECT, PREDICTED, GOLD = range(3)
"""Columns of the counts of a document and class: correct labels, predicted labels, gold labels."""


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """All documents of a split as arrays."""

    classes: tuple[str, ...]
    counts: Counts
    """(N, C, 3)"""
    probabilities: Counts
    """(N, C); unread documents get -1 on gold classes and 2 elsewhere: maximally wrong."""
    correct: Counts
    """(N,) 1 where the whole answer is right."""

    @classmethod
    def of(cls, values: Sequence[Values]) -> "Labelled":
        """Build the arrays from the values of the statistic ``Labels``."""
        classes = tuple(values[0]["probabilities"])
        gold, predicted = (
            np.asarray([[name in one[what] for name in classes] for one in values], np.float64)
            for what in ("gold", "predicted")
        )
        read = np.asarray([one["read"] for one in values], np.bool_)
        given = np.asarray([[one["probabilities"][name] for name in classes] for one in values], np.float64)
        probabilities = np.where(read[:, None], given, 2 - 3 * gold)
        correct = (read & (gold == predicted).all(axis=1)).astype(np.float64)
        return cls(classes, np.stack([gold * predicted, predicted, gold], axis=-1), probabilities, correct)

    @property
    def gold(self) -> Counts:
        """Return (N, C): 1 for gold labels, else 0."""
        gold: Counts = self.counts[..., GOLD]
        return gold

    @property
    def by_class(self) -> Counts:
        """Return (N, 3 C) counts for ``macro_f1``."""
        return self.counts.reshape(len(self.counts), -1)

    @property
    def of_all_classes(self) -> Counts:
        """Return (N, 3) counts for micro-F1."""
        sums: Counts = self.counts.sum(axis=1)
        return sums

    @property
    def right(self) -> Counts:
        """Return (N, 2) whether the answer is right, and 1; their sums give the accuracy."""
        return np.stack([self.correct, np.ones(len(self.correct))], axis=-1)

    @property
    def calibration(self) -> Counts:
        """Return (N, 3 · bins): 1, confidence and correctness in the bin of a document's confidence, else 0."""
        confidence = self.probabilities.max(axis=1).clip(0, 1)
        # Bins are open below and closed above, as in the paper.
        place = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)
        table = np.zeros((len(confidence), CALIBRATION_BINS, 3))
        table[np.arange(len(place)), place] = np.stack([np.ones(len(place)), confidence, self.correct], axis=-1)
        return table.reshape(len(table), -1)


class Labels(Statistic):
    """Values: ``gold`` and ``predicted`` labels of a document, ``probabilities`` by class, and ``read``.

    ``read`` is false where no part of the document was read; then its probabilities are ignored.
    """

    several: bool
    """Whether a document may have any number of labels."""

    def figures(self, values: Sequence[Values], weights: Counts | None = None) -> Figures:
        """Return accuracy or exact match, macro-F1, micro-F1, AUROC and, for single labels, calibration error."""
        found = Labelled.of(values)

        def sums(table: Counts) -> Counts:
            return table.sum(axis=0)[None] if weights is None else weights @ table

        figures = {
            "exact_match" if self.several else "accuracy": ratio(sums(found.right)),
            "macro_f1": macro_f1(sums(found.by_class)),
            "micro_f1": f1(sums(found.of_all_classes)),
            "auroc": mean_auroc(found, np.ones((1, len(values))) if weights is None else weights),
        }
        if not self.several:
            figures["calibration_error"] = calibration_error(sums(found.calibration))
        return figures


def macro_f1(sums: Counts) -> Counts:
    """Return the mean F1 of the classes that occur in gold or predictions; (…, 3 C) to (…)."""
    by_class = sums.reshape(*sums.shape[:-1], -1, 3)
    occurs = by_class[..., PREDICTED] + by_class[..., GOLD] > 0
    return ratio(np.stack([(f1(by_class) * occurs).sum(axis=-1), occurs.sum(axis=-1)], axis=-1))


def weighted_f1(sums: Counts) -> Counts:
    """Return the mean F1 of the classes, weighted by their number of gold labels; (…, 3 C) to (…)."""
    by_class = sums.reshape(*sums.shape[:-1], -1, 3)
    gold = by_class[..., GOLD]
    return ratio(np.stack([(f1(by_class) * gold).sum(axis=-1), gold.sum(axis=-1)], axis=-1))


def calibration_error(sums: Counts) -> Counts:
    """Return the mean absolute difference of confidence and accuracy; (…, 3 · bins) to (…)."""
    bins = sums.reshape(*sums.shape[:-1], CALIBRATION_BINS, 3)
    gaps = np.abs(bins[..., 1] - bins[..., 2]).sum(axis=-1)
    return ratio(np.stack([gaps, bins[..., 0].sum(axis=-1)], axis=-1))


def mean_auroc(found: Labelled, weights: Counts) -> Counts:
    """Return (R,) mean AUROC over classes with positive and negative documents in a weighting; NaN if there is none."""
    areas = np.stack([auroc(found.probabilities[:, i], found.gold[:, i], weights) for i in range(len(found.classes))])
    known = ~np.isnan(areas)
    total, count = np.where(known, areas, 0).sum(axis=0), known.sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
