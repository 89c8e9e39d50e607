"""Cells one at a time: none twice, none missing, however often the comparison is killed."""

import json
import random
from pathlib import Path

import pytest

from ctxlab.comparison import plan
from ctxlab.core import run_state
from ctxlab.core.run_state import State
from ctxlab.workbench.candidates import Candidate, CandidatesCommand
from ctxlab.workbench.cells import process
from ctxlab.workbench.comparing import running
from ctxlab.workbench.comparing.budget import Budget

KEYS = ["chunk-64", "dense-64", "dense-128"]


class Killed(BaseException):
    """The process is gone."""


class Optimizer:
    lr = 3e-4


class Parts:
    data_seed, optimizer = 1, Optimizer()


def cell_plan(folder: Path, name: str = "steps", num_trials: int = 1, num_folds: int | None = None) -> running.CellPlan:
    candidates = {key: Candidate(key, key, [f"strategy={key}"], Parts()) for key in KEYS}
    return running.CellPlan(
        folder=folder,
        command=CandidatesCommand([], ["model=tiny_bert", "seed=7"], {}),
        candidates=candidates,
        cells=plan.cells(KEYS, [7, 8], num_trials),
        budget=Budget(name, 6, num_trials),
        num_folds=num_folds,
        first_seed=7,
        num_threads=2,
    )


def result(share: float = 1.0, peak: int = 1) -> str:
    cost = {"train_seconds": 1.0, "train_cpu_seconds": 2 * share, "threads": 2, "peak_memory_bytes": peak}
    return json.dumps(
        {"stage": "train", "task": "ner", "model": "m", "strategy": "chunk", "context_length": 64, "seed": 1,
         "checkpoint": "c", "primary_metric": "f1", "metrics": {}, "coverage": {}, "cost": cost}
    )  # fmt: skip


class Machine:
    """Stands in for fresh processes: each begins its directory, then finishes it, and may be killed in between."""

    def __init__(self, kill_at: list[int] | None = None, share: float = 1.0) -> None:
        self.kill_at, self.share = kill_at or [], share
        self.finished: list[str] = []
        self.commands: list[list[str]] = []
        self.moments = 0

    def moment(self) -> None:
        self.moments += 1
        if self.moments in self.kill_at:
            raise Killed

    def run(self, words, log, env, tick):
        self.commands.append(words)
        resumes = words[1].startswith("resume=")
        folder = Path(words[-1].partition("=")[2].strip("'"))
        self.moment()
        if resumes:
            assert run_state.state(folder) is State.STARTED
        else:
            folder.mkdir(parents=True)  # a second start of the same directory is a mistake
            self.moment()
            (folder / ".hydra").mkdir()
            for name in ("overrides.yaml", "hydra.yaml", "config.yaml"):
                (folder / ".hydra" / name).touch()
        self.moment()
        tick()
        self.finished.append(folder.name)
        (folder / "result.json").write_text(result(self.share))
        self.moment()
        return 0


def go(planned, machine, monkeypatch, skip=lambda cell, outcome: False) -> running.Progress:
    monkeypatch.setattr(process, "run", machine.run)
    progress = running.Progress(dict.fromkeys(KEYS, 1.0))
    running.run(planned, progress, lambda _: None, skip)
    return progress


@pytest.mark.parametrize("seed", range(20))
def test_killed_at_ten_moments_no_cell_is_finished_twice_and_none_is_missing(tmp_path, monkeypatch, seed):
    machine = Machine(random.Random(seed).sample(range(1, 30), 10))
    for _ in range(11):
        try:
            progress = go(cell_plan(tmp_path), machine, monkeypatch)
        except Killed:
            continue
        break
    assert sorted(machine.finished) == sorted(cell.name for cell in plan.cells(KEYS, [7, 8]))
    assert len(progress.done) == 6
    assert not progress.failed
    assert not progress.to_come


def test_a_cell_is_a_training_run_with_its_own_seed_and_the_documents_of_all(tmp_path):
    cell = plan.Cell("dense-64", 8, 2)
    words = cell_plan(tmp_path, num_trials=3, num_folds=4).words(cell)
    assert words == [
        "train", "model=tiny_bert", "strategy=dense-64", "seed=8", "data_seed=1", "trainer.max_steps=2",
        "optimizer.lr=0.0001", "folds=4", "fold=1", f"hydra.run.dir='{tmp_path}/cells/dense-64-seed-8-trial-2'",
    ]  # fmt: skip


def test_a_cell_that_had_to_wait_for_others_runs_once_more_at_the_end_under_seconds_only(tmp_path, monkeypatch):
    machine = Machine(share=0.5)
    (tmp_path / "steps").mkdir()
    (tmp_path / "seconds").mkdir()
    go(cell_plan(tmp_path / "steps"), machine, monkeypatch)
    assert len(machine.finished) == 6
    machine = Machine(share=0.5)
    go(cell_plan(tmp_path / "seconds", "seconds"), machine, monkeypatch)
    assert machine.finished[:6] == machine.finished[6:]
    assert len(list((tmp_path / "seconds" / "cells").glob("*.waited"))) == 6
    again = Machine(share=0.5)
    go(cell_plan(tmp_path / "seconds", "seconds"), again, monkeypatch)
    assert again.finished == []


def test_a_cell_without_a_result_has_failed_and_the_rest_goes_on(tmp_path, monkeypatch):
    machine = Machine()
    healthy = machine.run

    def run(words, log, env, tick):
        return 2 if "dense-64-seed-7" in words[-1] else healthy(words, log, env, tick)

    machine.run = run
    progress = go(cell_plan(tmp_path), machine, monkeypatch)
    assert [cell.name for cell in progress.failed] == ["dense-64-seed-7"]
    assert len(progress.done) == 5


def test_a_candidate_that_is_given_up_has_no_further_cells(tmp_path, monkeypatch):
    given_up = set()

    def skip(cell, outcome):
        if outcome is not None and cell.candidate == "dense-128":
            given_up.add(cell.candidate)
        return cell.candidate in given_up

    machine = Machine()
    go(cell_plan(tmp_path), machine, monkeypatch, skip)
    assert sum(name.startswith("dense-128") for name in machine.finished) == 1
    assert len(machine.finished) == 5


def test_time_left_is_that_of_like_cells_once_some_are_done():
    progress = running.Progress({"a": 10.0, "b": 20.0}, to_come=[plan.Cell("a", 2), plan.Cell("b", 2)])
    assert progress.left == 30
    progress.spent["a"] = [15.0, 25.0]  # twice as long as estimated
    assert progress.left == 20 + 40
