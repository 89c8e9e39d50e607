"""Importance against scipy's analysis of variance, and where it is not known."""

import random

import pytest
from scipy import stats

from ctxlab.sweeping.importance import importance
from ctxlab.sweeping.space import read_space

SPACE, _ = read_space({"branch": {"choice": ["a", "b", "c"]}, "lr": {"log": [1e-5, 1e-3]}, "off": {"uniform": [0, 1]}})


def drawn(number, score):
    draw = random.Random(3)
    found = [
        {"branch": draw.choice("abc"), "lr": 10 ** draw.uniform(-5, -3), "off": draw.random()} for _ in range(number)
    ]
    return found, [score(point) + draw.gauss(0, 0.05) for point in found]


def test_it_is_omega_squared_of_a_one_way_analysis():
    """ω² = df (F − 1) / (df (F − 1) + N), with F from scipy."""
    found, scores = drawn(24, lambda point: {"a": 0, "b": 0.1, "c": 0.3}[point["branch"]])
    groups = [[s for p, s in zip(found, scores, strict=True) if p["branch"] == name] for name in "abc"]
    f = stats.f_oneway(*groups).statistic
    assert importance(SPACE, found, scores).shares["branch"] == pytest.approx(2 * (f - 1) / (2 * (f - 1) + 24))


def test_the_key_that_chooses_a_branch_matters_and_one_that_does_nothing_does_not():
    """Optuna's default says the opposite where another key acts within one branch only."""
    found, scores = drawn(40, lambda point: point["branch"] == "c")
    shares = importance(SPACE, found, scores).shares
    assert next(iter(shares)) == "branch"
    assert shares["branch"] > 0.8
    assert shares["off"] < 0.1


def test_it_is_not_known_from_few_trials_or_without_spread():
    """Optuna says 0.5 and 0.5 for two keys and a constant score."""
    found, scores = drawn(9, lambda point: 0)
    assert not importance(SPACE, found, scores).shares
    assert "9 trials have finished, and it takes 10" in importance(SPACE, found, scores).sentence
    found, _ = drawn(12, lambda point: 0)
    assert "all trials have the same score" in importance(SPACE, found, [0.3] * 12).sentence
