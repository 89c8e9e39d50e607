"""Scales: places of values, and round ticks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxlab.reporting.charts.scale import Scale, short


def test_a_linear_scale_maps_its_ends_and_the_middle_between():
    scale = Scale(0, 10, 100, 200)
    assert [scale(0), scale(5), scale(10)] == [100, 150, 200]
    assert Scale(0, 10, 200, 100)(2.5) == 175  # upwards, as SVG counts down


def test_a_wide_range_of_costs_is_logarithmic_and_a_narrow_one_is_not():
    wide = Scale.over([1, 1000], 0, 300, may_be_log=True)
    assert wide.is_log
    assert wide(10) - wide(1) == pytest.approx(wide(1000) - wide(100), abs=0.2)
    assert wide.ticks() == [1, 10, 100, 1000]
    assert not Scale.over([1, 1000], 0, 300).is_log
    assert not Scale.over([10, 20], 0, 300, may_be_log=True).is_log
    assert not Scale.over([0, 1000], 0, 300, may_be_log=True).is_log


def test_equal_values_have_a_scale_too():
    assert Scale.over([0.5, 0.5], 0, 100).ticks() == [0, 0.2, 0.4, 0.6000000000000001, 0.8, 1]
    assert Scale.over([20, 20], 0, 100).low < 20 < Scale.over([20, 20], 0, 100).high


@settings(max_examples=50)
@given(st.floats(-1e12, 1e12), st.floats(1e-6, 1e12), st.booleans())
def test_ticks_are_few_and_within_the_scale(low, size, may_be_log):
    scale = Scale.over([low, low + max(size, abs(low) / 1e6)], 0, 400, may_be_log=may_be_log)
    room = (scale.high - scale.low) * 1e-6
    ticks = scale.ticks()
    assert 2 <= len(ticks) <= 6
    assert ticks == sorted(ticks)
    assert all(scale.low - room <= tick <= scale.high + room for tick in ticks)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.25, "0.25"), (0.30000000000000004, "0.3"), (1500, "1,500"), (20000, "20k"), (3e6, "3M"), (4.4e10, "4.4e10")],
)
def test_numbers_of_ticks_are_short(value, text):
    assert short(value) == text
