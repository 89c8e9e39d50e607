"""Uncertainty against closed forms and scipy."""

import math

import numpy as np
import pytest
from scipy import stats

from ctxlab.labelling.measures.uncertainty import draw, entropy, margin


def test_entropy_is_the_mean_of_scipys():
    rows = np.random.default_rng(0).dirichlet(np.ones(5), size=7)
    assert entropy(rows) == pytest.approx(stats.entropy(rows, axis=1).mean())
    assert entropy(np.full((3, 4), 0.25)) == pytest.approx(math.log(4))
    assert entropy(np.eye(3)) == entropy(np.zeros((0, 3))) == 0


def test_margin_is_between_the_two_likeliest():
    assert margin(np.array([[0.5, 0.2, 0.3], [0.1, 0.9, 0.0]])) == pytest.approx(1 - (0.2 + 0.8) / 2)
    assert margin(np.full((2, 4), 0.25)) == 1
    assert margin(np.zeros((0, 3))) == 0


def test_draws_are_uniform_and_repeat():
    drawn = [draw(str(n), 1) for n in range(2000)]
    assert drawn == [draw(str(n), 1) for n in range(2000)]
    assert stats.kstest(drawn, "uniform").pvalue > 0.01
    assert drawn != [draw(str(n), 2) for n in range(2000)]
