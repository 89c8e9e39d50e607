"""Paired differences of two evaluations of the same documents, against numpy and scipy."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from ctxlab.core.types import ScoredRecord, Scores
from ctxlab.workbench.perturbing import paired

GOLD = 10
BEFORE, AFTER = np.array([9, 7, 8, 10, 6, 9]), np.array([7, 7, 5, 9, 2, 8])
PREDICTED = np.array([10, 9, 12, 10, 8, 11])
"""Entities that are right as the documents are and perturbed, and those predicted after it (before it ten each)."""


def split(correct, predicted):
    records = [
        ScoredRecord(f"d{i}", f"d{i}", {"entities": {"correct": int(c), "predicted": int(p), "gold": GOLD}})
        for i, (c, p) in enumerate(zip(correct, predicted, strict=True))
    ]
    metrics = dict.fromkeys(("precision", "recall", "f1", "unknown"), 0.0)
    return SimpleNamespace(evaluation=SimpleNamespace(scores=Scores(metrics, 1.0, records=records)))


@pytest.fixture
def rows():
    table = paired(split(BEFORE, [GOLD] * 6), split(AFTER, PREDICTED), "", higher="f1")
    return {row[0]: row[1:] for row in table.rows}


def test_of_a_mean_it_is_the_paired_t_test(rows):
    """Every document has ten gold entities, so that recall is a mean over documents."""
    each = (AFTER - BEFORE) / GOLD
    low, high = stats.ttest_rel(AFTER / GOLD, BEFORE / GOLD).confidence_interval(0.95)
    assert rows["recall"] == pytest.approx((BEFORE.mean() / GOLD, AFTER.mean() / GOLD, each.mean(), low, high))


def test_of_f1_it_is_the_jackknife_over_documents(rows):
    def f1(kept, correct, predicted):
        return 2 * correct[kept].sum() / (predicted[kept].sum() + GOLD * len(kept))

    def apart(kept):
        return f1(kept, AFTER, PREDICTED) - f1(kept, BEFORE, np.full(6, GOLD))

    whole = np.arange(6)
    values = np.array([6 * apart(whole) - 5 * apart(np.delete(whole, out)) for out in whole])
    reach = stats.t.ppf(0.975, 5) * values.std(ddof=1) / np.sqrt(6)
    expected = (apart(whole), apart(whole) - reach, apart(whole) + reach)
    assert rows["f1"][2:] == pytest.approx(expected)


def test_the_primary_figure_is_first_and_figures_without_counts_are_left_out(rows):
    assert list(rows) == ["f1", "precision", "recall"]
