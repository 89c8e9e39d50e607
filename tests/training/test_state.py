"""The state of a run, counted by hand and through JSON."""

import json
from dataclasses import fields

import pytest

from ctxlab.training.state import TrainState


def test_passes_are_counted_in_fractions():
    """Three of four steps, then a new pass at another length, two of two, and one of a third."""
    state = TrainState(length=64)
    for _ in range(3):
        state.count_step(4)
    assert (state.step, state.epoch, state.batch, state.epochs) == (3, 0, 3, 0.75)
    state.begin_pass(128)
    assert (state.epoch, state.batch, state.epochs, state.length) == (1, 0, 0.75, 128)
    for _ in range(2):
        state.count_step(2)
    assert (state.step, state.epochs) == (5, 1.75)
    state.begin_pass(128)
    state.count_step(3)
    assert state.epochs == pytest.approx(1.75 + 1 / 3)


def test_every_field_goes_through_json():
    values = {
        int: 3,
        float: 0.5,
        list[str]: ["a"],
        list[float]: [0.5],
        list[int]: [3],
        float | None: 0.25,
        int | None: 2,
        str | None: "b",
    }
    state = TrainState(**{one.name: values[one.type] for one in fields(TrainState)})
    assert TrainState.from_dict(json.loads(json.dumps(state.to_dict()))) == state
    assert state != TrainState()


def test_an_older_file_and_a_newer_one_are_read():
    """Older versions counted whole passes; a key of a newer version is ignored."""
    state = TrainState.from_dict({"step": 7, "epoch": 2, "another": 1})
    assert (state.step, state.epoch, state.epochs_before, state.loss_sum) == (7, 2, 2.0, 0.0)
    assert TrainState.from_dict({"epoch": 2, "epochs_before": 1.5}).epochs_before == 1.5
