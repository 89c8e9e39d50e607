"""Whole comparisons: how often they are wrong where nothing differs, and how often they find what does."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from ctxlab.comparison.compare import MODELS, STRATEGIES, Contender, Rules, compare
from ctxlab.comparison.scored import CountScores
from ctxlab.comparison.verdict import Verdict, detectable
from ctxlab.evaluation.statistics import f1
from tests.comparison.simulated import contenders, entities, means

FOUND = (Verdict.BETTER, Verdict.WORSE)

SPREADS = {
    "seeds do not matter": {"between_seeds": 0.0, "between_documents": 0.1, "rest": 0.1},
    "seeds matter": {"between_seeds": 0.05, "between_documents": 0.05, "rest": 0.05},
    "seeds decide": {"between_seeds": 0.1, "between_documents": 0.02, "rest": 0.02},
}


def false_findings(num_seeds, num_documents, spread, replicates, num_candidates=4):
    """Fraction of comparisons in which any of several candidates that do not differ is called better or worse."""
    generator, wrong = np.random.default_rng(1), 0
    rules = Rules(margin=0, draws=499)
    for _ in range(replicates):
        everyone = contenders(entities(generator, (num_candidates + 1, num_seeds, num_documents), **spread))
        wrong += any(row.verdict in FOUND for row in compare(everyone[0], everyone[1:], rules).rows)
    return wrong / replicates


def allowed(replicates):
    """5 % and two standard errors of the simulation."""
    return 0.05 + 2 * np.sqrt(0.05 * 0.95 / replicates)


@pytest.mark.by_default(2)
@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS)
@pytest.mark.parametrize("num_documents", [10, 20])
def test_candidates_that_do_not_differ_are_called_different_in_5_percent_at_most(num_documents, spread):
    assert false_findings(3, num_documents, spread, 200) <= allowed(200)


def test_one_seed_and_models_that_do_not_differ():
    assert false_findings(1, 10, SPREADS["seeds do not matter"], 200) <= allowed(200)


@pytest.mark.slow
@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS)
@pytest.mark.parametrize(
    ("num_seeds", "num_documents", "num_candidates"), [(3, 10, 1), (3, 10, 4), (3, 40, 6), (5, 20, 4)]
)
def test_false_findings_over_many_replicates(num_seeds, num_documents, num_candidates, spread):
    assert false_findings(num_seeds, num_documents, spread, 1500, num_candidates) <= allowed(1500)


def found(num_documents, size, replicates):
    """Fraction of comparisons of one seed that find a difference of ``size`` standard errors."""
    generator, hits = np.random.default_rng(2), 0
    for _ in range(replicates):
        ours, theirs = generator.normal(size=(2, 1, num_documents))
        ours = ours + size * np.sqrt(2 / num_documents)
        (row,) = compare(Contender("a", means(theirs)), [Contender("b", means(ours))], Rules(draws=499)).rows
        hits += row.verdict is Verdict.BETTER
    return hits / replicates


def power(num_documents, size):
    """That of the t test, which no test can pass by much."""
    return stats.nct(num_documents - 1, size).sf(stats.t(num_documents - 1).isf(0.025))


def test_a_difference_of_twice_the_half_width_of_its_interval_is_found_in_95_percent():
    size = 2 * stats.t(19).isf(0.025)
    assert power(20, size) > 0.97
    assert found(20, size, 400) >= 0.95


def test_a_difference_of_twice_its_standard_error_is_found_as_often_as_can_be():
    """In half of the cases: a test that finds it in 95 % would find what is not there in far more than 5 %."""
    assert 0.4 < power(20, 2) < 0.52
    assert found(20, 2, 600) == pytest.approx(power(20, 2), abs=0.06)


def test_what_is_said_to_be_found_with_a_chance_of_80_percent_is():
    size = stats.t(19).isf(0.025) + stats.t(19).isf(0.2)
    assert found(20, size, 400) == pytest.approx(0.8, abs=0.05)


def test_a_real_difference_among_seeds_is_found():
    """Half of what the baseline has right, by one of three candidates."""
    generator, hits = np.random.default_rng(3), 0
    for _ in range(50):
        counts = entities(generator, (4, 3, 20), **SPREADS["seeds do not matter"])
        counts[1, ..., 0] *= 0.5
        everyone = contenders(counts)
        worse, *others = compare(everyone[0], everyone[1:], Rules(draws=999)).rows
        hits += worse.verdict is Verdict.WORSE and worse.difference.estimate < 0
        assert Verdict.WORSE not in {row.verdict for row in others}
    assert hits >= 48


def test_a_row_holds_both_tests_and_holm():
    everyone = contenders(entities(np.random.default_rng(0), (3, 3, 9), **SPREADS["seeds matter"]))
    comparison = compare(everyone[0], everyone[1:], Rules())
    assert (comparison.baseline, [row.name for row in comparison.rows]) == ("a", ["b", "c"])
    assert comparison.scope == STRATEGIES
    for row in comparison.rows:
        assert row.p_value == max(row.difference.p_value, row.permutation.p_value)
        assert row.adjusted_p >= row.p_value
        assert row.unreachable is None
        assert row.detectable == detectable(row.difference.student, 0.05 / 2), "the first step of Holm for two"
    assert max(row.adjusted_p for row in comparison.rows) <= 1


def test_one_seed_is_about_models():
    everyone = contenders(entities(np.random.default_rng(0), (2, 1, 9), **SPREADS["seeds matter"]))
    assert compare(everyone[0], everyone[1:], Rules()).scope == MODELS


def test_too_few_documents_decide_nothing_and_say_so():
    theirs = np.full((3, 6), 0.5) + 0.001 * np.arange(6)
    candidates = [Contender(name, means(theirs + 0.2 + 0.01 * np.eye(3, 6))) for name in "bc"]
    rows = compare(Contender("a", means(theirs)), candidates, Rules()).rows
    assert {row.verdict for row in rows} == {Verdict.UNDECIDED}
    assert all("at least 7 documents" in row.unreachable and row.detectable is None for row in rows)
    (alone,) = compare(Contender("a", means(theirs)), candidates[:1], Rules()).rows
    assert (alone.verdict, alone.unreachable) == (Verdict.BETTER, None)


def test_a_tie_needs_no_test():
    theirs = np.random.default_rng(0).normal(size=(3, 5))
    (row,) = compare(Contender("a", means(theirs)), [Contender("b", means(theirs))], Rules()).rows
    assert (row.verdict, row.p_value, row.difference.interval.high) == (Verdict.TIE, 1, 0)


def test_perplexity_is_better_when_lower():
    theirs = 20 + np.random.default_rng(0).normal(size=(3, 10))
    ours = Contender("b", means(theirs - 2 + 0.1 * np.random.default_rng(1).normal(size=(3, 10))))
    rules = Rules(margin=0.1, lower_is_better=True)
    assert compare(Contender("a", means(theirs)), [ours], rules).rows[0].verdict is Verdict.BETTER
    assert (
        compare(Contender("a", means(theirs)), [ours], replace(rules, lower_is_better=False)).rows[0].verdict
        is Verdict.WORSE
    )


def test_candidates_of_other_documents_are_refused():
    everyone = contenders(entities(np.random.default_rng(0), (2, 2, 5), **SPREADS["seeds matter"]))
    fewer = Contender("c", CountScores(everyone[1].scored.counts[:, :4], f1))
    with pytest.raises(ValueError, match="c and a report different documents"):
        compare(everyone[0], [everyone[1], fewer], Rules())
