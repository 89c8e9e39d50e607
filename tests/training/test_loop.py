"""What the loop counts and how it weighs losses, against clocks and gradients that do not share its code."""

from itertools import count

import pytest

from ctxlab.training import loop
from tests.training.runs import make_job


@pytest.mark.parametrize("each", ["trainer.eval_every_steps=1", "trainer.save_every_steps=1"])
def test_seconds_are_those_of_steps_alone(each, tmp_path, monkeypatch):
    """A clock on which every reading takes a second, and an evaluation or a save ten thousand."""
    now = count()
    late = [0.0]
    monkeypatch.setattr(loop, "perf_counter", lambda: next(now) + late[0])
    job = make_job(tmp_path, "trainer.max_steps=3", each)

    def slow(function):
        def run(*given, **named):
            late[0] += 10_000.0
            return function(*given, **named)

        return run

    for name in ("_evaluate", "_save", "_log", "_position"):
        monkeypatch.setattr(job.trainer, name, slow(getattr(job.trainer, name)))
    assert job.run().seconds == 3.0


def test_a_slow_evaluation_leaves_a_budget_of_seconds_alone(tmp_path, monkeypatch):
    now, late = count(), [0.0]
    monkeypatch.setattr(loop, "perf_counter", lambda: next(now) + late[0])
    job = make_job(tmp_path, "trainer.max_seconds=4.5", "trainer.eval_every_steps=1")
    evaluate = job.trainer._evaluate

    def slow(state):
        late[0] += 10_000.0
        return evaluate(state)

    monkeypatch.setattr(job.trainer, "_evaluate", slow)
    assert job.run().step == 5
