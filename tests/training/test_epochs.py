"""An epoch is a pass over the documents, however a curriculum divides it: shares of a budget worked out by hand."""

from itertools import groupby, pairwise

import pytest
import torch

from ctxlab.core.types import NO_LABEL
from tests.training.runs import make_job, stopped_and_resumed

GROWING = ("strategy=progressive", "context=128", "trainer.max_epochs=3", "trainer.tokens_per_step=128",
           "data.documents=8", "data.validation_documents=1", "trainer.save_every_steps=1000")  # fmt: skip


def counted(job, monkeypatch):
    """The run without the model: the state at each step, and the tokens that it reads."""
    read = []

    def step(state, epoch, progress):
        read.append(sum(epoch.lengths[i] for i in epoch.steps[state.batch]))
        state.learning_rate = job.trainer.job.learning_rate * job.trainer.job.schedule.factor(progress)
        state.count_step(len(epoch.steps))

    monkeypatch.setattr(job.trainer, "_step", step)
    monkeypatch.setattr(job.trainer, "_save", lambda _: None)
    monkeypatch.setattr(job.trainer, "_evaluate", lambda *_: False)
    job.run()
    return read


@pytest.mark.parametrize("shares", [(0.25, 0.25, 0.25, 0.25), (0.1, 0.2, 0.3, 0.4)])
def test_each_stage_has_its_share_of_an_epoch_budget(shares, tmp_path, monkeypatch):
    job = make_job(tmp_path / "run", *GROWING, f"strategy.curriculum.shares={list(shares)}")
    counted(job, monkeypatch)
    watching = job.watching
    stages = [(length, len(list(steps))) for length, steps in groupby(watching.lengths)]
    assert [length for length, _ in stages] == [16, 32, 64, 128]
    begun = 0.0
    for (length, count), share in zip(stages, shares, strict=True):
        steps_in_pass = len(job.trainer.job.stream.epoch(0, length).steps)
        assert abs(count - 3 * share * steps_in_pass) < 2  # a step less at its beginning, a step more at its end
        begun += count / steps_in_pass
    assert begun == pytest.approx(3, abs=0.1)
    assert watching.epochs[-1] == pytest.approx(3, abs=0.1)


def test_progress_never_falls_and_the_learning_rate_reaches_its_final_value(tmp_path, monkeypatch):
    job = make_job(tmp_path / "run", *GROWING)
    counted(job, monkeypatch)
    progress, rates = job.watching.progress, job.watching.rates
    assert progress == sorted(progress)
    assert max(later - sooner for sooner, later in pairwise(progress)) < 0.05
    assert progress[-1] == 1.0
    assert rates[-1] < 0.05 * max(rates)


def test_an_epoch_reads_every_token_once(tmp_path, monkeypatch):
    job = make_job(tmp_path / "run", "trainer.max_epochs=1", "trainer.tokens_per_step=128")
    parts = [d.labels[at : at + 62] for d in job.bench.encode(job.documents.train) for at in range(0, len(d), 62)]
    labelled = [part for part in parts if (part != NO_LABEL).any()]  # a last window may be the end of a word
    assert sum(counted(job, monkeypatch)) == sum(len(part) + 2 for part in labelled)


def test_a_run_without_a_curriculum_has_complete_passes(tmp_path, monkeypatch):
    job = make_job(tmp_path / "run", "trainer.max_epochs=2", "trainer.tokens_per_step=256")
    counted(job, monkeypatch)
    steps = len(job.trainer.job.stream.epoch(0, 64).steps)
    assert job.state.step == 2 * steps
    assert job.state.epochs == 2.0


@pytest.mark.slow
def test_a_growing_run_under_an_epoch_budget_resumes_to_the_same_weights(tmp_path):
    options = ("strategy=progressive", "context=128", "trainer.max_epochs=3", "trainer.tokens_per_step=256",
               "model.dropout=0.1")  # fmt: skip
    whole = make_job(tmp_path / "whole", *options)
    steps = whole.run().step
    lengths = whole.watching.lengths
    middle = next(i for i in range(2, steps) if lengths[i - 2 : i + 1] == 3 * [32])
    for stop in (middle, lengths.index(64)):  # within a stage, and where the next step begins one
        first, second = stopped_and_resumed(tmp_path / f"cut{stop}", *options, stop_after=stop)
        assert first.watching.lengths + second.watching.lengths == lengths
        assert first.watching.epochs + second.watching.epochs == whole.watching.epochs
        expected = whole.weights()
        assert all(torch.equal(expected[name], tensor) for name, tensor in second.weights().items())


def test_a_budget_of_operations_ends_the_run(tmp_path):
    one = make_job(tmp_path / "one", "trainer.max_steps=1").run().flops
    state = make_job(tmp_path / "run", f"trainer.max_flops={3.5 * one}").run()
    assert 3.5 * one <= state.flops < 3.5 * one + 2 * one
    assert state.step in (3, 4, 5)
