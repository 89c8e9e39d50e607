"""Figures of a measurement, what a budget buys with them, and their way through JSON."""

import json
from dataclasses import replace

import pytest

from ctxlab.planning.heap import HOLES, HOLES_SHARE, Peak
from ctxlab.planning.measured import Measured, as_dict, from_dict
from ctxlab.planning.row import Row
from ctxlab.planning.row import as_dict as row_as_dict
from ctxlab.planning.shape import Load
from ctxlab.planning.spending import pays, spending

MEASURED = Measured(
    parameters=10,
    trainable_parameters=10,
    weight_bytes=40,
    state_bytes=80,
    load=Load(
        steps_per_epoch=5, tokens_per_step=90.0, terms_per_step=[2.0, 100.0, 1000.0, 0.0, 500.0], longest_window=60
    ),
    peaks={100: Peak(400, 300, 100), 50: Peak(250, 200, 50)},
    other_bytes=1000,
    flops=[0.0, 6.0, 2.0, 0.0, 0.0],
    pass_seconds=[0.0, 0.01, 0.001, 0.0, 0.0],
    update_seconds=0.5,
    created_bytes=[1.0, 2.0, 0.0, 0.0, 0.0],
    operations=7,
    precision="fp32",
)


def test_costs_of_a_step_are_sums_over_its_terms():
    assert MEASURED.flops_per_step == 6 * 100 + 2 * 1000
    assert MEASURED.seconds_per_step == pytest.approx(0.01 * 100 + 0.001 * 1000 + 0.5)
    assert MEASURED.created_bytes_per_step == 2 + 200
    assert MEASURED.operations_per_step == 14
    assert MEASURED.checkpoint_bytes == 120


def test_the_process_has_weights_libraries_tensors_and_holes():
    assert MEASURED.tensor_bytes() == 440
    assert MEASURED.peak_bytes() == 40 + 1000 + 100 + int(300 * (1 + HOLES_SHARE + HOLES[0]))
    assert MEASURED.peak_bytes(50) == 40 + 1000 + 50 + int(200 * (1 + HOLES_SHARE + HOLES[0]))


def test_it_comes_back_from_json_and_what_is_damaged_does_not():
    plain = json.loads(json.dumps(as_dict(MEASURED)))
    assert from_dict(plain) == MEASURED
    for change in ({"flops": [0, "x", 0, 0]}, {"other_bytes": float("nan")}, {"peaks": []}, {"extra": 1}):
        with pytest.raises((ValueError, TypeError, KeyError, StopIteration)):
            from_dict({**plain, **change})


@pytest.mark.parametrize(
    ("limits", "steps"),
    [({"steps": 3}, 3), ({"seconds": 5}, 2), ({"tokens": 91}, 2), ({"flops": 2600}, 1), ({"epochs": 3}, 15)],
)
def test_a_budget_ends_with_the_step_that_reaches_it(limits, steps):
    found = spending(MEASURED, MEASURED.seconds_per_step, limits)
    assert (found.steps, found.tokens, found.epochs) == (steps, 90 * steps, steps / 5)
    assert found.flops == 2600 * steps


def test_a_budget_below_one_step_does_not_pay_it():
    assert pays(MEASURED, 2.5, {"seconds": 1.25, "tokens": 90, "flops": 2600, "epochs": 3})
    assert not pays(MEASURED, 2.5, {"seconds": 1.2})
    assert not pays(MEASURED, 2.5, {"tokens": 80})
    assert not pays(MEASURED, 2.5, {"flops": 2000})


def test_what_is_not_known_is_left_out_of_a_row():
    row = Row(candidate="a-1", title="a at 1", strategy="a", context_length=1, applicable=False, why="it cannot be.")
    assert row_as_dict(row) == {
        "candidate": "a-1", "title": "a at 1", "strategy": "a", "context_length": 1, "applicable": False,
        "why": "it cannot be.",
    }  # fmt: skip
    assert row_as_dict(replace(row, fits=False))["fits"] is False
