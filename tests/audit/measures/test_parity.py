"""Demographic parity and equalized odds against fairlearn."""

import numpy as np
import pytest
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference

from ctxlab.audit.measures.parity import labelled, odds_gaps, odds_p, parity_gaps, selection_rates


def drawn(seed, groups=3):
    draw = np.random.default_rng(seed)
    gold, group = draw.integers(0, 2, 60), draw.integers(0, groups, 60)
    group[: groups * 4] = np.repeat(np.arange(groups), 4)  # every group has documents of both labels
    gold[: groups * 4] = np.tile([0, 1], groups * 2)
    predicted = np.where(draw.random(60) < 0.3, 1 - gold, gold)
    return gold, predicted, group


@pytest.mark.by_default(5)
@pytest.mark.parametrize("seed", range(20))
def test_gaps_are_those_of_fairlearn(seed):
    gold, predicted, group = drawn(seed)
    found = labelled([[str(n)] for n in gold], [[str(n)] for n in predicted], group.tolist(), ["0", "1"])
    for column, name in enumerate((0, 1)):
        binary = gold == name, predicted == name
        assert parity_gaps(found)[column] == pytest.approx(
            demographic_parity_difference(*binary, sensitive_features=group)
        )
        assert odds_gaps(found)[column] == pytest.approx(equalized_odds_difference(*binary, sensitive_features=group))
    assert selection_rates(found)[0, 1] == pytest.approx((predicted[group == 0] == 1).mean())


def test_a_rate_that_a_group_does_not_have_is_left_out():
    found = labelled([["y"], ["y"], ["n"]], [["y"], ["y"], ["y"]], [0, 1, 0], ["n", "y"])
    assert odds_gaps(found).tolist() == [0.0, 0.0]  # group 1 has no document without y


def test_base_rates_alone_are_no_difference_of_odds():
    """All documents are right, and the groups have very different labels."""
    gold = [["y"]] * 30 + [["n"]] * 5 + [["y"]] * 5 + [["n"]] * 30
    found = labelled(gold, gold, [0] * 35 + [1] * 35, ["n", "y"])
    assert parity_gaps(found).max() > 0.7
    assert odds_p(found, seed=0) == 1.0


def test_odds_that_differ_have_a_small_p():
    gold = [["y"]] * 40 + [["n"]] * 40
    predicted = [["y"]] * 20 + [["n"]] * 60  # all of group 0 and none of group 1
    assert odds_p(labelled(gold, predicted, [*[0] * 20, *[1] * 20, *[0, 1] * 20], ["n", "y"]), seed=0) < 0.01
