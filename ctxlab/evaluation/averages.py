"""Averages of precision, recall and F1 over classes, under the names that scikit-learn's reports made known.

Shape legend: C classes.
"""

from dataclasses import dataclass

import numpy as np

from ctxlab.evaluation.statistics import Counts, ratio


@dataclass(frozen=True, slots=True)
class Average:
    """Precision, recall and F1 over several classes."""

    name: str
    precision: float
    recall: float
    f1: float


def averages(counts: Counts) -> tuple[Average, ...]:
    """Return the micro, macro and weighted averages; a class in neither gold labels nor predictions does not count.

    Args:
        counts: (C, 3) correct, predicted and gold labels of each class.
    """
    table = counts[counts[:, 1:].any(axis=1)]
    total = table.sum(axis=0, keepdims=True)
    even, gold = np.ones(len(table)), table[:, 2]
    return (
        _mean("micro avg", total, np.ones(1)),
        _mean("macro avg", table, even),
        _mean("weighted avg", table, gold),
    )


def by_class(counts: Counts) -> Counts:
    """Return (C, 3) precision, recall and F1 of each class from ``counts`` (C, 3); 0 where there is none."""
    correct, predicted, gold = counts.T
    pairs = ((correct, predicted), (correct, gold), (2 * correct, predicted + gold))
    return np.stack([ratio(np.stack(pair, axis=-1)) for pair in pairs], axis=-1)


def _mean(name: str, counts: Counts, weights: Counts) -> Average:
    total = weights.sum()
    figures = weights @ by_class(counts) / total if total else np.zeros(3)
    return Average(name, *map(float, figures))
