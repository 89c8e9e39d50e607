"""Workers with stand-ins for their trials: nothing twice, nothing missing, however often they are killed."""

import json
import random
import re
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
from optuna.trial import TrialState

from ctxlab.config.keys.comparing import SweepSettings
from ctxlab.core.errors import CheckFailed, Interrupted, UserError
from ctxlab.core.signals import StopRequest
from ctxlab.sweeping.objectives import Objective
from ctxlab.sweeping.samplers import Proposer
from ctxlab.sweeping.space import read_space
from ctxlab.sweeping.study import Place, SharedStudy
from ctxlab.workbench.cells import process
from ctxlab.workbench.sweeping import failures, workers
from ctxlab.workbench.sweeping.session import Session

SPACE, _ = read_space({"a": {"choice": ["x", "y", "z"]}, "seed": {"choice": [1, 2]}})
"""Six points."""


class Killed(BaseException):
    """The command is gone, and its trials with it."""


class Machine:
    """Stands in for processes: a trial takes three polls, of which the second saves a checkpoint."""

    def __init__(self, kill_at=(), outcome=lambda words: 0, rows=lambda number, step: None) -> None:
        self.kill_at, self.outcome, self.rows = set(kill_at), outcome, rows
        self.moments = 0
        self.commands: list[list[str]] = []
        self.signals: list[int] = []
        self.finished: list[str] = []

    def start(self, words, log, env):
        self.commands.append(words)
        return Process(self, words)

    def moment(self) -> None:
        self.moments += 1
        if self.moments in self.kill_at:
            raise Killed


class Process:
    def __init__(self, machine, words) -> None:
        self.machine, self.words, self.status = machine, words, None
        self.ending, self.is_saved = None, False
        self.folder = Path(re.search(r"'(.*)'", words[-1])[1])
        self.number = int(self.folder.name)
        resumed = words[1].startswith("resume=")
        self.step = int((self.folder / "checkpoints").exists())
        assert resumed == bool(self.step), words
        machine.moment()

    def poll(self):
        if self.ending is not None:  # it saves a checkpoint first
            self.ending, self.status = (None, self.ending) if self.is_saved else (self.ending, None)
            self.is_saved = True
        elif self.status is None:
            self.machine.moment()
            self.step += 1
            hidden = self.folder / ".hydra"
            hidden.mkdir(parents=True, exist_ok=True)
            for name in ("overrides.yaml", "hydra.yaml", "config.yaml"):
                (hidden / name).touch()
            self.machine.rows(self, self.step)
            if self.step == 2:
                (self.folder / "checkpoints" / "step-00000001").mkdir(parents=True, exist_ok=True)
                self.machine.moment()
            if self.step >= 3:
                self.end()
        return self.status

    def end(self) -> None:
        self.status = self.machine.outcome(self.words)
        if self.status == 0:
            (self.folder / "result.json").write_text(result(0.1 * self.number))
            self.machine.finished.append(self.folder.name)
        elif self.status == 2:
            failure = {"error": "these do not go together.", "exit_status": 2}
            (self.folder / "failure.json").write_text(json.dumps(failure))
        self.machine.moment()

    def send_signal(self, number) -> None:
        self.machine.signals.append(number)
        self.ending = 128 + number

    def kill(self) -> None:
        pass

    wait = kill


def result(score) -> str:
    return json.dumps(
        {"stage": "train", "task": "ner", "model": "m", "strategy": "chunk", "context_length": 64, "seed": 1,
         "checkpoint": "c", "primary_metric": "f1", "metrics": {"validation": {"f1": score}}, "coverage": {},
         "cost": {}}
    )  # fmt: skip


def made(folder: Path, *, num_workers=2, prune=False, figure="f1", num_trials=6) -> Session:
    settings = SweepSettings(
        space=None, n_trials=None, timeout=None, sampler="grid", workers=num_workers, storage=None, study=None,
        objectives=[], prune=prune, smallest=None,
    )  # fmt: skip
    study = SharedStudy(Place.of(folder, None, "ner"), SPACE, Proposer("grid", SPACE, 1), prunes=prune)
    study.open({}, ["maximize"])
    parts = SimpleNamespace(
        origin=SimpleNamespace(run_dir=folder), trainer=SimpleNamespace(eval_every_steps=10, max_steps=30)
    )
    return Session(
        parts=parts, settings=settings, margin=0.01, space=SPACE, objectives=[Objective(figure, False)],
        num_trials=num_trials, study=study, flags=[], shared=["task=ner"], fixed={"seed": 1, "data_seed": 1},
        command=[], num_threads=1, notes=[],
    )  # fmt: skip


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(process, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(workers, "WATCH_SECONDS", 0.0)


def go(folder, machine, monkeypatch, shown=lambda progress: None, **options) -> Session:
    monkeypatch.setattr(process, "start", machine.start)
    session = made(folder, **options)
    workers.Workers(session).run(shown)
    return session


def states(session):
    return [trial.state for trial in session.study.trials()]


@pytest.mark.parametrize("seed", range(1))
def test_killed_at_ten_moments_every_trial_is_finished_once(tmp_path, monkeypatch, seed):
    """Of six trials with about six moments each; what a killed command had locked, the system has unlocked."""
    machine = Machine(random.Random(seed).sample(range(1, 36), 10))
    for _ in range(12):
        try:
            session = go(tmp_path, machine, monkeypatch)
        except Killed:
            continue
        break
    assert states(session) == [TrialState.COMPLETE] * 6
    assert sorted(machine.finished) == [f"{number:04d}" for number in range(6)]
    assert {tuple(trial.params.values()) for trial in session.study.trials()} == {
        tuple(SPACE.at(index).values()) for index in range(6)
    }
    assert [trial.values[0] for trial in session.study.trials()] == pytest.approx([0.1 * n for n in range(6)])


def test_a_killed_trial_is_continued_and_one_that_is_always_killed_is_given_up(tmp_path, monkeypatch):
    """Trial 2 is killed before any checkpoint, as by a system without memory."""
    machine = Machine(outcome=lambda words: -signal.SIGKILL if "0002" in words[-1] else 0)
    session = go(tmp_path, machine, monkeypatch)
    assert states(session) == [TrialState.COMPLETE] * 2 + [TrialState.FAIL] + [TrialState.COMPLETE] * 3
    assert sum("0002" in words[-1] for words in machine.commands) == failures.KILLS
    assert "killed 12 times" in session.study.trials()[2].user_attrs["reason"]


def test_values_that_do_not_go_together_are_passed_over_with_their_reason(tmp_path, monkeypatch):
    machine = Machine(outcome=lambda words: 2 if "a=y" in words else 0)
    session = go(tmp_path, machine, monkeypatch)
    failed = [trial for trial in session.study.trials() if trial.state is TrialState.FAIL]
    assert [trial.params["a"] for trial in failed] == ["y", "y"]
    assert {trial.user_attrs["reason"] for trial in failed} == {"these do not go together."}
    assert {trial.user_attrs["status"] for trial in failed} == {failures.NOT_APPLICABLE}


def test_where_nothing_works_three_trials_are_enough(tmp_path, monkeypatch):
    machine = Machine(outcome=lambda words: 2)
    with pytest.raises(CheckFailed, match="The first 3 trials failed, the last one because: these do not"):
        go(tmp_path, machine, monkeypatch, num_workers=1)
    assert len(machine.commands) == 3


def test_a_figure_that_no_trial_reports_ends_the_sweep_at_once(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="did you mean 'f1'"):
        go(tmp_path, Machine(), monkeypatch, figure="f2", num_workers=1)


def test_a_signal_is_forwarded_once_and_says_how_to_go_on(tmp_path, monkeypatch):
    machine, received = Machine(), []
    monkeypatch.setattr(StopRequest, "signal_number", None)

    def shown(progress):
        if machine.moments > 4 and not received:
            received.append(monkeypatch.setattr(StopRequest, "signal_number", signal.SIGINT))

    with pytest.raises(Interrupted, match=r"continue with `ctxlab sweep resume=") as stopped:
        go(tmp_path, machine, monkeypatch, shown)
    assert stopped.value.signal_number == signal.SIGINT
    assert machine.signals == [signal.SIGINT] * 2  # two workers
    monkeypatch.setattr(StopRequest, "signal_number", None)
    assert states(go(tmp_path, machine, monkeypatch)) == [TrialState.COMPLETE] * 6


def test_after_the_timeout_no_trial_starts_and_those_that_run_are_finished(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "start", Machine().start)
    session = made(tmp_path)
    session.settings.timeout = 5.0
    clock = [0.0]
    monkeypatch.setattr(workers.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(workers.time, "sleep", lambda _: clock.__setitem__(0, clock[0] + 4.0))
    workers.Workers(session).run(lambda progress: None)
    assert states(session) == [TrialState.COMPLETE] * 2


def test_a_trial_worse_than_the_median_is_cut_short_at_an_equal_step(tmp_path, monkeypatch):
    """The first four trials have 0.5 at step 10, the fifth 0.4; step 15 is no rung, and 30 is the end."""

    def rows(process, step):
        score = 0.4 if process.number == 4 else 0.5
        lines = [{"kind": "validation", "step": at, "f1": score} for at in (10, 15, 30)]
        (process.folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    machine = Machine(rows=rows)
    session = go(tmp_path, machine, monkeypatch, num_workers=1, prune=True)
    assert states(session) == [TrialState.COMPLETE] * 4 + [TrialState.PRUNED, TrialState.COMPLETE]
    assert machine.signals == [signal.SIGTERM]
    assert session.study.trials()[0].intermediate_values == {10: 0.5}
    assert session.study.trials()[4].user_attrs["pruned_at"] == 10


def test_a_result_that_is_not_a_number_is_no_value(tmp_path, monkeypatch):
    outcome = json.loads(result(0.5)) | {"metrics": {"validation": {"f1": None}}}
    monkeypatch.setattr("tests.workbench.sweeping.test_workers.result", lambda score: json.dumps(outcome))
    session = go(tmp_path, Machine(), monkeypatch, num_trials=1)
    assert states(session) == [TrialState.FAIL]
