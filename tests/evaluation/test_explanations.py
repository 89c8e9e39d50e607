"""Hit rates, chance, deletion curves and rank correlations of cases counted by hand."""

import numpy as np
import pytest

from ctxlab.evaluation.breakdown import Estimate
from ctxlab.evaluation.explanations import (
    Deletion,
    Ranked,
    deletion_table,
    hidden_units,
    hit_table,
    hits,
    matters,
    rank_correlation,
)


def case(values, own=(0,), evidence=(2,), record="a", distance=40):
    there = [np.isin(np.arange(len(values)), places) for places in (own, evidence)]
    return Ranked(record, distance, np.array(values, float), *there)


def test_the_answers_own_sentence_is_not_ranked():
    assert case([9, 1, 3, 2]).hit
    assert not case([9, 4, 3, 2]).hit
    assert not case([-1, -3, -2, -1]).hit
    assert case([9, 1, 3, 2]).chance == pytest.approx(1 / 3)
    assert case([1, 2, 3, 4], evidence=(2, 3)).chance == pytest.approx(2 / 3)


def test_cases_without_evidence_do_not_count():
    cases = [case([9, 1, 3]), case([9, 1, 3], evidence=()), case([9, 1], evidence=(0,)), case([9, 2, 1])]
    found = hits(cases)
    assert (found.count, found.rate.value, found.chance) == (2, 0.5, 0.5)
    assert hits(cases[1:3]) is None
    assert hit_table(cases[1:3]) is None


def test_what_reads_is_told_from_chance():
    read = [case([0, 1, 3, 2, 0, 1], record=str(n)) for n in range(20)]
    assert hits(read).reads is True
    random = np.random.default_rng(0)
    guessed = [case(random.normal(size=6), record=str(n)) for n in range(60)]
    assert hits(guessed).reads is False
    assert hits(guessed).says.startswith("at chance")
    assert "the model reads it" in hits(read).says
    never = [case([0, 1, 0, 3, 0, 1], record=str(n)) for n in range(20)]
    assert hits(never).says.startswith("at chance or below")
    sometimes = [case([0, 1, 3, 2, 0, 1] if n % 5 < 2 else [0, 3, 1, 2, 0, 1], record=str(n)) for n in range(60)]
    assert (hits(sometimes).reads, hits(sometimes).says.split(",")[0]) == (False, "more often than by chance")
    assert hits(read[:1]).reads is None


@pytest.mark.parametrize(
    ("value", "low", "expected"),
    [(0.0004, 0.0001, False), (0.0999, 0.09, False), (0.1, 0.01, True), (0.4, -0.01, False), (2.0, 1.0, True),
     (0.4, None, None)],
)  # fmt: skip
def test_a_gain_counts_where_it_is_both_beyond_chance_and_large_enough(value, low, expected):
    assert matters(Estimate(value, low, None if low is None else 3.0)) is expected


def test_by_distance():
    cases = [case([9, 1, 3]), case([9, 3, 1], distance=600, record="b"), case([9, 1, 3], distance=None, record="c")]
    table = hit_table(cases)
    assert [(row[0], row[1], row[2]) for row in table.rows][-1] == ("all", 3, pytest.approx(2 / 3))
    assert [row[1] for row in table.rows[:-1]] == [1, 1]


def test_units_are_hidden_from_the_top():
    order = np.array([3, 1, 2, 0])
    assert hidden_units(order, 0).tolist() == []
    assert hidden_units(order, 0.5).tolist() == [3, 1]
    assert hidden_units(order, 1).tolist() == [3, 1, 2, 0]


def test_a_deletion_curve_below_random_is_a_gain():
    curves = [Deletion(str(n), np.linspace(4, 0, 11) - [0, *[1] * 9, 0], np.linspace(4, 0, 11)) for n in range(3)]
    table, gain = deletion_table(curves, "word")
    assert gain.value == pytest.approx(1)
    assert table.rows[5] == ("50%", pytest.approx(1), pytest.approx(2), pytest.approx(1))
    assert deletion_table([], "word") is None


def test_rank_correlation_of_absolute_values():
    assert rank_correlation(np.array([1, -2, 3, -4]), np.array([-10, 20, 30, 40])) == pytest.approx(1)
    assert rank_correlation(np.array([1, 2, 3, 4.0]), np.array([4, 3, 2, 1.0])) == pytest.approx(-1)
    assert rank_correlation(np.array([1.0, 2]), np.array([1.0, 2])) is None
    assert rank_correlation(np.ones(5), np.arange(5.0)) is None
