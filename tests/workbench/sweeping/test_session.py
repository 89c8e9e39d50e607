"""A sweep before it runs: by which documents it chooses, how many trials it has, and what it refuses."""

import json
from types import SimpleNamespace

import pytest

from ctxlab.config.keys.comparing import SweepSettings
from ctxlab.core.errors import UserError
from ctxlab.data.splits import HoldOut, Splits
from ctxlab.sweeping.objectives import Objective
from ctxlab.sweeping.space import read_space
from ctxlab.sweeping.study import Place
from ctxlab.workbench.sweeping import session

F1 = Objective("f1", False)

SPACE, _ = read_space({"context.length": {"choice": [64, 128, 256]}, "strategy": {"choice": ["chunk", "dense"]}})


def documents(number):
    return list(range(number))


@pytest.mark.parametrize(
    ("num_validation", "num_test", "folds", "says"),
    [
        (5, 3, None, []),
        (5, 0, 4, ["one of 4 folds of the 5 validation documents chooses, the others are reported"]),
        (2, 0, 2, ["one of 2 folds"]),
        (1, 0, None, ["looks better than it is"]),
    ],
)
def test_what_chooses_is_not_what_is_reported_or_that_is_said(num_validation, num_test, folds, says, monkeypatch):
    splits = Splits(documents(9), documents(num_validation), documents(num_test))
    monkeypatch.setattr(session, "load_documents", lambda *_: splits)
    parts = SimpleNamespace(seed=3, data_seed=5, hold_out=None, data=None, task=None)
    fixed, notes = session._fixed(parts)
    assert fixed == {"seed": 3, "data_seed": 5} | ({"folds": folds, "fold": 0} if folds else {})
    assert len(notes) == len(says)
    assert all(part in note for part, note in zip(says, notes, strict=True))


def test_folds_that_are_given_are_kept_and_no_document_is_too_few(monkeypatch):
    parts = SimpleNamespace(seed=3, data_seed=5, hold_out=HoldOut(5, 2), data=None, task=None)
    assert session._fixed(parts)[0] == {"seed": 3, "data_seed": 5, "folds": 5, "fold": 2}
    monkeypatch.setattr(session, "load_documents", lambda *_: Splits(documents(9), [], []))
    parts.hold_out = None
    with pytest.raises(UserError, match="There are no documents to choose by"):
        session._fixed(parts)


@pytest.mark.parametrize(
    ("sampler", "n_trials", "expected"), [("tpe", None, 6), ("grid", None, 6), ("grid", 4, 4), ("random", 50, 6)]
)
def test_a_finite_space_has_as_many_trials_as_points(sampler, n_trials, expected):
    settings = SweepSettings(sampler=sampler, n_trials=n_trials)
    assert session._num_trials(settings, SPACE) == expected


def test_an_endless_space_has_twenty_trials_or_as_many_as_are_wanted():
    space, _ = read_space({"optimizer.lr": {"log": [1e-5, 1e-3]}})
    assert session._num_trials(SweepSettings(sampler="tpe", n_trials=None), space) == 20
    assert session._num_trials(SweepSettings(sampler="tpe", n_trials=300), space) == 300


@pytest.mark.parametrize(
    ("settings", "objectives", "says"),
    [
        ({"smallest": "strategy"}, [F1], "needs numbers"),
        ({"smallest": "seed"}, [F1], "needs seed in the space"),
        ({"smallest": "context.length", "prune": True}, [F1], "leave out sweep.prune"),
        ({"smallest": "context.length"}, [F1, Objective("flops", True)], "leave out sweep.objectives"),
    ],
)
def test_the_smallest_value_needs_numbers_and_whole_trials(settings, objectives, says):
    parts = SimpleNamespace(task=SimpleNamespace(primary_metric="f1"))
    with pytest.raises(UserError, match=says):
        session._check_smallest(SweepSettings(**{"prune": False} | settings), SPACE, objectives, parts)


def test_pruning_needs_equal_steps_and_one_objective():
    trainer = SimpleNamespace(max_steps=100, eval_every_steps=10)
    session._check_pruning(SPACE, [F1], trainer)
    with pytest.raises(UserError, match="there are several objectives"):
        session._check_pruning(SPACE, [F1, Objective("flops", True)], trainer)
    for missing in ("max_steps", "eval_every_steps"):
        with pytest.raises(UserError, match=r"give trainer\.max_steps and trainer\.eval_every_steps"):
            session._check_pruning(SPACE, [F1], SimpleNamespace(**{**vars(trainer), missing: None}))
    searched, _ = read_space({"trainer.max_steps": {"int": [10, 100]}})
    with pytest.raises(UserError, match="the same for all trials"):
        session._check_pruning(searched, [F1], trainer)


def test_a_storage_whose_password_was_not_kept_is_given_again(tmp_path):
    origin = SimpleNamespace(run_dir=tmp_path, command=["ctxlab", "sweep", "now"])
    place = Place.of(tmp_path, "postgresql://me:word@host/db", "ner")
    assert session._command(origin, place) == origin.command
    (tmp_path / "command.json").write_text(json.dumps({"command": ["before"], "storage": place.title}))
    assert session._command(origin, place) == ["before"]
    with pytest.raises(UserError, match=r"is in postgresql://me:\*\*\*@host/db and not in study.db"):
        session._command(origin, Place.of(tmp_path, None, "ner"))
