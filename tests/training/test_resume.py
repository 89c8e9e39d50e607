"""A stopped and resumed run equals an uninterrupted one: every counter, every random draw, every weight."""

import json
import random
from dataclasses import fields
from itertools import count

import numpy as np
import pytest
import torch

from ctxlab.objectives.standard import Standard
from ctxlab.tracking.metrics_file import read_metrics
from ctxlab.training import loop, spikes
from ctxlab.training.changes import changes
from ctxlab.training.state import TrainState
from tests.training.runs import make_job, stopped_and_resumed, with_objective

COUNTED = ("strategy=progressive", "context=128", "trainer.max_epochs=2", "trainer.tokens_per_step=256",
           "trainer.eval_every_steps=2", "trainer.log_every_steps=4", "model.dropout=0.1",
           "optimizer.lr=3e-3")  # fmt: skip

OF_THE_PROCESS = {"resumed_from"}
"""What a resumed run must say otherwise."""


@pytest.fixture
def clock(monkeypatch):
    """A clock that advances by a second at every reading."""
    seconds = count()
    for name in ("perf_counter", "process_time"):
        monkeypatch.setattr(loop, name, lambda: float(next(seconds)))


def test_every_counter_of_the_run_survives(tmp_path, clock):
    whole = make_job(tmp_path / "whole", *COUNTED, peak=100)
    whole.run()
    first, second = stopped_and_resumed(tmp_path / "cut", *COUNTED, stop_after=5)
    assert first.state.loss_weight > 0  # the first process stops between two logged points
    assert first.state.evaluations_without_gain + (first.state.best_step or 0) > 0
    expected, found = whole.state.to_dict(), second.state.to_dict()
    expected["peak_memory_bytes"] = 0
    assert {name: found[name] for name in expected if name not in OF_THE_PROCESS} == {
        name: value for name, value in expected.items() if name not in OF_THE_PROCESS
    }
    moved = {name for name, value in expected.items() if value != getattr(TrainState(), name)}
    assert moved >= {field.name for field in fields(TrainState)} - {
        "tracker_id", "resumed_from", "notes", "peak_memory_bytes", "loss_sum", "loss_weight",
        "evaluations_without_gain", "spikes", "tokens_per_forward",
        "share", "losses", "cycle_ends"}  # fmt: skip  # of curricula and schedules that have tests of their own
    rows = [read_metrics(tmp_path / name / "metrics.jsonl") for name in ("whole", "cut")]
    for row in (*rows[0], *rows[1]):
        row.pop("tokens_per_second", None)  # of the steps since the last point, or since the resume
    assert rows[0] == rows[1]


@pytest.mark.slow
def test_the_highest_memory_of_all_processes_is_kept(tmp_path):
    make_job(tmp_path, "trainer.max_steps=3", stop_after=2, peak=100).run()
    state = make_job(tmp_path, "trainer.max_steps=3", resume=True, peak=60).run()
    assert state.peak_memory_bytes == 100


@pytest.mark.parametrize("name", [field.name for field in fields(TrainState)])
def test_every_field_comes_back_from_a_checkpoint(name):
    value = {"notes": ["a"], "tracker_id": "x", "resumed_from": "step-00000007"}.get(name, 7)
    state = TrainState(**{name: value})
    assert TrainState.from_dict(json.loads(json.dumps(state.to_dict()))) == state


def test_a_state_without_the_beginning_of_its_pass_has_whole_passes_before_it():
    values = {"step": 25, "epoch": 2, "batch": 5, "epochs": 2.5}
    assert TrainState.from_dict(values).epochs_before == 2.0


DRAWS = {
    "torch": lambda: float(torch.rand(())),
    "dropout": lambda: float(torch.nn.functional.dropout(torch.ones(64)).sum() * 1e3 + torch.rand(())),
    "numpy": lambda: float(np.random.random()),
    "python": random.random,
}
"""Where a part of a step may take chance from."""


class Drawing(Standard):
    """Records a draw from each random generator in every step."""

    def __init__(self):
        self.drawn = []

    def step(self, passes, items, task):
        self.drawn.append({name: draw() for name, draw in DRAWS.items()})
        yield from super().step(passes, items, task)


@pytest.mark.slow
def test_every_draw_differs_from_step_to_step_and_comes_back_on_resume(tmp_path):
    options = ("trainer.max_steps=5", "trainer.save_every_steps=2", "trainer.eval_every_steps=1")
    whole, before, after = Drawing(), Drawing(), Drawing()
    make_job(tmp_path / "whole", *options, change=with_objective(whole)).run()
    make_job(tmp_path / "cut", *options, change=with_objective(before), stop_after=2).run()
    np.random.seed(0)  # a new process has other states
    random.seed(0)
    make_job(tmp_path / "cut", *options, resume=True, change=with_objective(after)).run()
    assert before.drawn + after.drawn == whole.drawn
    for name in DRAWS:
        assert len({part[name] for part in whole.drawn}) == len(whole.drawn) >= 5
    other = Drawing()
    make_job(tmp_path / "other", *options, "seed=2", change=with_objective(other)).run()
    assert all(other.drawn[0][name] != whole.drawn[0][name] for name in DRAWS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model", ["model=tiny_bert", "model=tiny_t5", "model=tiny_gpt2", "model=tiny_llama"],
)  # fmt: skip
def test_dropout_and_attention_dropout_continue_after_a_resume(model, tmp_path):
    hidden = [] if model == "model=tiny_llama" else ["model.dropout=0.2"]  # a Llama that models language has none
    options = (model, *hidden, "model.attention_dropout=0.3", "trainer.max_steps=3")
    options = (*options, "task=lm") if model in ("model=tiny_gpt2", "model=tiny_llama") else options
    whole = make_job(tmp_path / "whole", *options)
    whole.run()
    _, second = stopped_and_resumed(tmp_path / "cut", *options, stop_after=1)
    expected, found = whole.weights(), second.weights()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    without = make_job(tmp_path / "without", *options, "model.attention_dropout=0.0")
    without.run()
    assert any(not torch.equal(expected[name], tensor) for name, tensor in without.weights().items())


class Killed(BaseException):
    """The end of a process, as far as the code can notice."""


@pytest.mark.slow
def test_a_run_killed_after_any_logged_row_logs_each_row_once(tmp_path, monkeypatch):
    monkeypatch.setattr(spikes, "LEAST_STEPS", 1)
    options = ("trainer.max_steps=4", "trainer.log_every_steps=3", "trainer.save_every_steps=2",
               "trainer.eval_every_steps=3", "trainer.spike_factor=0.1")  # fmt: skip
    make_job(tmp_path / "whole", *options).run()
    whole = rows_of(tmp_path / "whole")
    assert [(row["kind"], row["step"]) for row in whole] == [
        ("spike", 1), ("spike", 2), ("train", 3), ("validation", 3), ("spike", 3), ("train", 4), ("validation", 4),
    ]  # fmt: skip
    for last in range(len(whole)):
        folder = tmp_path / str(last)
        job = make_job(folder, *options)
        log = job.watching.row
        job.watching.row = lambda row, log=log, job=job, last=last: (log(row), kill(len(job.watching.rows) > last))
        with pytest.raises(Killed):
            job.run()
        assert rows_of(folder) == whole[: last + 1]
        make_job(folder, *options, resume=True).run()
        assert rows_of(folder) == whole, last


def kill(now: bool) -> None:
    if now:
        raise Killed


def rows_of(folder):
    rows = read_metrics(folder / "metrics.jsonl")
    return [{key: value for key, value in row.items() if "second" not in key} for row in rows]


@pytest.mark.slow
def test_differences_of_a_resumed_run_are_noted(tmp_path):
    make_job(tmp_path, "trainer.max_steps=2").run()
    job = make_job(tmp_path, "trainer.max_steps=4", "optimizer.lr=0.5", "trainer.log_every_steps=1", resume=True)
    job.run()
    note = job.trainer.notes(job.state)[0]
    assert note.startswith("From step 2 on the run was trained with ")
    assert "optimizer.lr=0.5 (before: " in note
    assert "trainer.max_steps=4 (before: 2)" in note
    assert "log_every" not in note
    again = make_job(tmp_path, "trainer.max_steps=4", "optimizer.lr=0.5", resume=True)
    notes = again.trainer.notes(again.state)
    assert [one for one in notes if one.startswith("From step")] == [note]  # told once, and not forgotten


def test_changes_by_hand():
    before = {"optimizer": {"lr": 1e-3, "betas": [0.9, 0.99]}, "trainer": {"clip_norm": 1.0, "num_workers": 0}}
    now = {"optimizer": {"lr": 1e-3, "betas": [0.9, 0.98], "new": 1}, "trainer": {"clip_norm": None, "num_workers": 2}}
    assert changes(before, now, 7) == [
        "From step 7 on the run was trained with optimizer.betas=[0.9, 0.98] (before: [0.9, 0.99]), "
        "trainer.clip_norm=null (before: 1.0)."
    ]
    assert changes(before, before, 7) == changes({}, now, 7) == []
