"""Signals, a lack of memory and spikes during training: nothing is lost, and what was done is said."""

import signal

import pytest
import torch

from ctxlab.core.errors import Diverged, Interrupted, UserError
from ctxlab.runtime.forward import Passes
from ctxlab.runtime.memory import half, run_within
from ctxlab.training import checkpoint, spikes
from ctxlab.training.state import TrainState
from tests.training.runs import make_job

EVALUATED = ("trainer.max_steps=4", "trainer.eval_every_steps=2", "trainer.save_every_steps=100")


def same_weights(one, other):
    return all(torch.equal(value, other.weights()[name]) for name, value in one.weights().items())


@pytest.mark.by_default(1)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
@pytest.mark.parametrize("step", [2, 4])
def test_a_signal_ends_an_evaluation_which_the_resumed_run_makes_up_for(tmp_path, monkeypatch, number, step):
    whole = make_job(tmp_path / "whole", *EVALUATED)
    whole.run()
    stopped = make_job(tmp_path / "run", *EVALUATED)
    run = Passes.run

    def signalled(self, items):
        if not torch.is_grad_enabled() and stopped.state.step == step:
            signal.raise_signal(number)
        return run(self, items)

    monkeypatch.setattr(Passes, "run", signalled)
    with pytest.raises(Interrupted) as stop:
        stopped.trainer.run(stopped.state)
    assert stop.value.signal_number == number
    assert checkpoint.names(tmp_path / "run")[-1] == checkpoint.step_name(step)
    monkeypatch.undo()
    resumed = make_job(tmp_path / "run", *EVALUATED, resume=True)
    resumed.run()
    assert same_weights(whole, resumed)
    assert (resumed.state.best_step, resumed.state.best_metric) == (whole.state.best_step, whole.state.best_metric)
    scores = [[row for row in job.watching.rows if row["kind"] == "validation"] for job in (whole, stopped, resumed)]
    assert scores[0] == scores[1] + scores[2]


LARGE_PASSES = ("trainer.max_steps=3", "trainer.tokens_per_step=256", "optimizer=sgd", "model.dropout=0")


def runs_out(monkeypatch, most: int):
    """Passes over more than ``most`` tokens fail as they do on a machine without memory."""
    run = Passes.run

    def limited(self, items):
        if sum(map(self.size, items)) > most:
            raise RuntimeError("[enforce fail] . DefaultCPUAllocator: can't allocate memory: you tried to allocate")
        return run(self, items)

    monkeypatch.setattr(Passes, "run", limited)


def test_where_memory_runs_out_passes_get_smaller_and_steps_stay(tmp_path, monkeypatch):
    plain = make_job(tmp_path / "plain", *LARGE_PASSES)
    plain.run()
    runs_out(monkeypatch, most=100)
    shrunk = make_job(tmp_path / "run", *LARGE_PASSES, stop_after=2)
    shrunk.run()
    limit = shrunk.state.tokens_per_forward
    assert limit is not None
    assert limit <= 128
    calls = []
    monkeypatch.setattr("ctxlab.training.accumulation.half", lambda *given: calls.append(given))
    resumed = make_job(tmp_path / "run", *LARGE_PASSES, resume=True)
    resumed.run()
    assert calls == []  # remembered
    assert resumed.state.tokens_per_forward == limit
    assert (resumed.state.tokens, resumed.state.step) == (plain.state.tokens, plain.state.step)
    for name, value in plain.weights().items():
        assert torch.allclose(value, resumed.weights()[name], atol=1e-6)
    (note,) = [note for note in resumed.trainer.notes(resumed.state) if "Memory ran out" in note]
    assert f"at most {limit}" in note


def test_what_was_read_before_memory_ran_out_is_not_counted_twice(tmp_path, monkeypatch):
    options = (*LARGE_PASSES, "trainer.tokens_per_forward=128")
    plain = make_job(tmp_path / "plain", *options)
    plain.run()
    run, calls = Passes.run, []

    def once(self, items):
        calls.append(items)
        if len(calls) == 2:  # after a pass that fitted
            raise MemoryError
        return run(self, items)

    monkeypatch.setattr(Passes, "run", once)
    job = make_job(tmp_path / "run", *options)
    job.run()
    assert (job.state.tokens, job.state.step) == (plain.state.tokens, plain.state.step)


def test_a_document_that_fits_no_memory_is_named(tmp_path, monkeypatch):
    runs_out(monkeypatch, most=10)
    job = make_job(tmp_path / "run", *LARGE_PASSES)
    with pytest.raises(UserError, match=r"generated-train-\d+-\d+ does not fit the memory: \d+ of its tokens"):
        job.run()


def test_a_pass_is_divided_in_two():
    assert half([100, 90, 80, 10], ["a", "b", "c", "d"]) == 200
    with pytest.raises(UserError, match="Document a does not fit"):
        half([100], ["a"])


def test_groups_that_do_not_fit_are_divided_and_all_items_run_once():
    ran, sizes = [], [5, 4, 3, 2, 1]

    def run(group):
        if sum(sizes[i] for i in group) > 5:
            raise MemoryError
        ran.append(list(group))

    run_within([[0, 1, 2], [3, 4]], sizes, run)
    assert ran == [[0], [1], [2], [3, 4]]
    with pytest.raises(UserError, match="7 of its tokens"):
        run_within([[0, 1]], [7, 1], run_out)


def run_out(group):
    raise MemoryError


def test_other_errors_are_no_lack_of_memory(tmp_path, monkeypatch):
    def fails(self, items):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(Passes, "run", fails)
    with pytest.raises(RuntimeError, match="shapes differ"):
        make_job(tmp_path / "run", *LARGE_PASSES).run()


def test_a_norm_far_above_the_running_mean_is_a_spike():
    state, usual = TrainState(), [1.0, 2.0, 3.0] * 10
    assert not any(spikes.is_spike(norm, 10.0, state) for norm in usual)
    assert state.usual_norm == pytest.approx(sum(usual) / len(usual))  # a plain mean for the first fifty steps
    before = state.usual_norm
    assert spikes.is_spike(21.0, 10.0, state)
    assert (state.spikes, state.usual_norm) == (1, before)
    assert not spikes.is_spike(19.0, 10.0, state)
    assert not spikes.is_spike(1e9, None, state)
    assert not any(spikes.is_spike(norm, 10.0, TrainState()) for norm in (1.0, 1e9))  # nothing is usual yet


@pytest.mark.parametrize("skipped", [False, True])
def test_spikes_are_logged_and_left_out_on_request(tmp_path, monkeypatch, skipped):
    monkeypatch.setattr(spikes, "LEAST_STEPS", 2)
    job = make_job(tmp_path / "run", "trainer.max_steps=5", f"trainer.skip_spikes={skipped}", "optimizer=sgd")
    apply, moved = job.trainer.apply, []

    def scaled(weight, step, ids, is_skipped, **options):
        before = job.weights()
        norm = apply(weight / 1e4 if step == 3 else weight, step, ids, is_skipped, **options)
        moved.append(any(not torch.equal(value, before[name]) for name, value in job.weights().items()))
        return norm

    job.trainer.apply = scaled
    job.run()
    assert [row["step"] for row in job.watching.rows if row["kind"] == "spike"] == [3]
    assert moved[1:] == [True, True, not skipped, True]
    (note,) = [note for note in job.trainer.notes(job.state) if "gradient norm" in note]
    assert note.startswith("In 1 of 5 steps")
    assert ("were skipped" in note) == skipped


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    job = make_job(tmp_path / "run", "trainer.max_steps=3", "trainer.save_every_steps=1")
    step = job.trainer._step

    def spoilt(state, *rest):
        step(state, *rest)
        if state.step == 2:
            with torch.no_grad():
                next(job.bench.model.parameters())[0, 0] = float("inf")

    job.trainer._step = spoilt
    with pytest.raises(Diverged, match="after step 2"):
        job.trainer.run(job.state)
    assert checkpoint.names(tmp_path / "run") == ["step-00000001"]
    assert checkpoint.latest_valid(tmp_path / "run") is not None
