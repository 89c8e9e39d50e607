import numpy as np
import pytest
from scipy import stats

from ctxlab.comparison.compare import Contender
from ctxlab.comparison.pareto import Draws, Standing, Tolerance, pareto
from tests.comparison.simulated import means

DOCUMENTS = np.random.default_rng(0).normal(0.6, 0.2, (1, 12))
"""Scores that vary far more from document to document than candidates differ."""


def places(figures, costs, **options):
    """Of candidates a, b, c, … whose figures are ``DOCUMENTS`` moved by a constant."""
    contenders = [
        Contender(chr(ord("a") + index), means(np.repeat(DOCUMENTS, 3, axis=0) + shift))
        for index, shift in enumerate(figures)
    ]
    return pareto(contenders, {name: [np.full(3, one) for one in values] for name, values in costs.items()}, **options)


def test_standings_by_hand():
    """b is better and dearer than a; c is as good as a and dearer; d is worse than b and dearer."""
    found = places([0.0, 0.1, 0.0, 0.05], {"seconds": [1.0, 2.0, 1.5, 3.0]})
    assert [place.name for place in found] == ["a", "b", "c", "d"]
    assert [place.standing for place in found] == [
        Standing.FRONT,
        Standing.FRONT,
        Standing.DOMINATED,
        Standing.DOMINATED,
    ]
    assert [place.dominated_by for place in found] == [None, None, "a", "b"]
    assert [place.chance_on_front for place in found] == [1, 1, 0, 0]


def test_documents_are_resampled_for_all_candidates_at_once():
    """Each figure alone is uncertain by 0.1, but on the same documents the difference of 0.05 is certain."""
    better, worse = places([0.05, 0.0], {"seconds": [1.0, 1.0]})
    assert (better.standing, worse.standing, worse.dominated_by) == (Standing.FRONT, Standing.DOMINATED, "a")


def test_lower_may_be_better():
    found = places([0.05, 0.0], {"seconds": [1.0, 1.0]}, lower_is_better=True)
    assert [place.standing for place in found] == [Standing.DOMINATED, Standing.FRONT]


def test_small_differences_are_no_advantage():
    assert places([0.0, 0.009], {"seconds": [1.0, 1.5]})[1].standing is Standing.DOMINATED
    assert places([0.0, 0.011], {"seconds": [1.0, 1.5]})[1].standing is Standing.FRONT
    equal = places([0.0, 0.0], {"seconds": [1.0, 1.019]})
    assert [place.standing for place in equal] == [Standing.FRONT, Standing.FRONT]
    strict = places([0.0, 0.0], {"seconds": [1.0, 1.019]}, tolerance=Tolerance(cost=0.01))
    assert strict[1].standing is Standing.DOMINATED


def test_every_cost_counts():
    found = places([0.0, 0.0], {"seconds": [1.0, 2.0], "memory": [2.0, 1.0]})
    assert [place.standing for place in found] == [Standing.FRONT, Standing.FRONT]
    assert places([0.0, 0.0], {"seconds": [1.0, 2.0], "memory": [1.0, 1.0]})[1].standing is Standing.DOMINATED


def test_what_depends_on_the_documents_is_undecided():
    generator = np.random.default_rng(1)
    base = generator.normal(0.6, 0.1, (1, 12))
    noisy = base + 0.03 + generator.normal(0, 0.1, (1, 12))
    contenders = [Contender("a", means(base)), Contender("b", means(noisy))]
    _, dearer = pareto(contenders, {"seconds": [np.ones(1), 2 * np.ones(1)]})
    assert dearer.standing is Standing.UNDECIDED
    assert 0.05 < dearer.chance_on_front < 0.95
    assert dearer.dominated_by == "a"
    assert pareto(contenders, {"seconds": [np.ones(1), 2 * np.ones(1)]})[1] == dearer


def test_what_depends_on_the_seeds_is_undecided():
    seconds = {"seconds": [np.array([10.0, 10.1, 9.9]), np.array([8.0, 10.5, 12.5])]}
    contenders = [Contender(name, means(np.repeat(DOCUMENTS, 3, axis=0))) for name in "ab"]
    assert pareto(contenders, seconds)[1].standing is Standing.UNDECIDED


def half_width(values):
    """Of the mean's t interval."""
    return stats.t(len(values) - 1).isf(0.025) * values.std(ddof=1) / np.sqrt(len(values))


def test_deviations_are_as_wide_as_the_t_interval():
    draws = Draws.of(5, 3, 40_000, 0)
    values, seconds = np.array([0.5, 0.9, 0.1, 0.4, 0.3]), np.array([9.0, 10.0, 12.0])
    figure, cost = draws.figure(Contender("a", means(np.repeat(values[None], 3, axis=0)))), draws.cost(seconds)
    assert figure.std() * stats.norm.isf(0.025) == pytest.approx(half_width(values), rel=0.02)
    assert cost.std() * stats.norm.isf(0.025) == pytest.approx(half_width(seconds), rel=0.02)
    assert (figure.mean(), cost.mean()) == pytest.approx((values.mean(), seconds.mean()), rel=0.01)


def test_costs_by_document_are_resampled_with_them():
    draws = Draws.of(10, 2, 5000, 0)
    by_document = np.random.default_rng(0).normal(100, 10, 10)
    drawn = draws.cost(np.stack([by_document, by_document]))
    assert drawn == pytest.approx(draws.figure(Contender("a", means(np.stack([by_document, by_document])))))
    assert draws.cost(np.array([5.0, 5.0])) == pytest.approx(np.full(5000, 5.0))
