"""Figures of numbers against scipy and scikit-learn, also where records count several times or not at all."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score, mean_squared_error

from ctxlab.core.types import Document, Prediction
from ctxlab.evaluation.metrics import regression
from ctxlab.evaluation.sufficient.regression import STATISTIC
from ctxlab.tasks.regression import Estimated


def answered(pairs, **read):
    documents = [Document(str(i), {"gold": gold}, "here") for i, (gold, _) in enumerate(pairs)]
    answers = [
        Estimated(told, 1.0, 6.0, num_tokens=9, num_seen=9 * (told is not None), evidence=()) for _, told in pairs
    ]
    return regression.score(documents, [Prediction(str(i), one, [True]) for i, one in enumerate(answers)])


def drawn(seed, count=40):
    numbers = np.random.default_rng(seed)
    gold = numbers.integers(1, 7, count).astype(float)
    return gold, gold + numbers.normal(0, 1.5, count).round(1)  # rounded, so that there are equal ones


def kappa(gold, told):
    """With every grade between the lowest and the highest: scikit-learn counts distances in places of its list."""
    grades = np.rint(told)
    every = np.arange(min(gold.min(), grades.min()), max(gold.max(), grades.max()) + 1)
    return cohen_kappa_score(gold, grades, labels=every, weights="quadratic")


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_of_other_libraries(seed):
    gold, told = drawn(seed)
    found = answered(list(zip(gold, told, strict=True))).metrics
    assert found["mse"] == pytest.approx(mean_squared_error(gold, told))
    assert found["pearson"] == pytest.approx(stats.pearsonr(gold, told)[0])
    assert found["spearman"] == pytest.approx(stats.spearmanr(gold, told)[0])
    assert found["quadratic_kappa"] == pytest.approx(kappa(gold, told))


@pytest.mark.parametrize("seed", range(5))
def test_a_record_that_counts_several_times_is_there_several_times(seed):
    gold, told = drawn(seed)
    weights = np.random.default_rng(seed).integers(0, 4, (3, len(gold)))
    values = [{"gold": a, "predicted": b} for a, b in zip(gold, told, strict=True)]
    found = STATISTIC.figures(values, weights)
    for row, times in enumerate(weights):
        one, other = np.repeat(gold, times), np.repeat(told, times)
        assert found["mse"][row] == pytest.approx(mean_squared_error(one, other))
        assert found["pearson"][row] == pytest.approx(stats.pearsonr(one, other)[0])
        assert found["spearman"][row] == pytest.approx(stats.spearmanr(one, other)[0])
        assert found["quadratic_kappa"][row] == pytest.approx(kappa(one, other))


def test_numbers_that_are_no_grades_have_no_kappa():
    assert "quadratic_kappa" not in answered([(1.5, 1.0), (2.0, 2.5)]).metrics


def test_equal_predictions_have_no_correlation_and_a_note():
    found = answered([(1.0, 3.0), (2.0, 3.0), (6.0, 3.0)])
    assert set(found.metrics) == {"mse", "quadratic_kappa"}
    assert found.metrics["quadratic_kappa"] == pytest.approx(0, abs=1e-12)
    assert "no correlation" in found.notes[0]


def test_a_document_that_was_not_read_is_as_far_off_as_can_be():
    found = answered([(2.0, None), (5.0, 5.0)])
    assert found.metrics["mse"] == pytest.approx((6 - 2) ** 2 / 2)
    assert found.coverage_labels == 0.5
