"""Limits of CUSUM charts against published tables and a simulation."""

import numpy as np
import pytest

from ctxlab.monitoring.charts.run_length import limit_for, run_length


@pytest.mark.parametrize(("limit", "published"), [(3, 118), (4, 336), (5, 930)])
def test_mean_run_lengths_are_the_published_ones(limit, published):
    """One-sided charts of slack 0.5 (Montgomery, Statistical Quality Control, one-sided)."""
    assert run_length(limit, 0.5) == pytest.approx(published, rel=0.03)


def test_a_simulation_agrees():
    random, limit = np.random.default_rng(5), limit_for(200, 0.5)
    lengths = np.zeros(2000)
    sums, alive = np.zeros(2000), np.ones(2000, bool)
    while alive.any():
        sums = np.maximum(sums + random.normal(size=2000) - 0.5, 0)
        lengths += alive
        alive &= sums <= limit
    assert lengths.mean() == pytest.approx(200, rel=0.08)


@pytest.mark.parametrize("steps", [50, 1e4, 1e6])
def test_the_limit_is_the_inverse(steps):
    assert run_length(limit_for(steps, 0.7), 0.7) == pytest.approx(steps, rel=1e-6)
