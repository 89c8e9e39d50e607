"""A study that processes share and leave: every trial once, under its own number, and never another study."""

import multiprocessing
import os
import socket
from itertools import product

import optuna
import pytest

from ctxlab.core import locks
from ctxlab.core.errors import UserError
from ctxlab.sweeping import study as module
from ctxlab.sweeping.samplers import Proposer
from ctxlab.sweeping.space import read_space
from ctxlab.sweeping.study import Place, SharedStudy, differences, lock_of

SPACE, _ = read_space({"a": {"choice": [1, True, [64, 512], None]}, "b": {"int": [1, 2]}})

DEFINITION = {"sampler": "random", "space": SPACE.form}


def opened(folder, definition=DEFINITION, directions=("maximize",), *, prunes=False, url=None):
    study = SharedStudy(Place.of(folder, url, "ner"), SPACE, Proposer("random", SPACE, 1), prunes=prunes)
    study.open(definition, directions)
    return study


def worked(study, num_trials=8):
    """Finish every trial that a study gives, at most two more than there should be; their numbers and points."""
    found = []
    for _ in range(num_trials + 2):
        claimed = study.claim(num_trials, ask=True)
        if claimed is None:
            break
        found.append((claimed.number, tuple(claimed.point.values())))
        study.finish(claimed, [0.1 * claimed.number])
    return found


def test_a_trial_that_was_left_is_continued_under_its_own_number(tmp_path):
    first = opened(tmp_path)
    left = first.claim(8, ask=True)
    assert opened(tmp_path).claim(1, ask=True) is None  # its lock is held
    left.release()
    taken = opened(tmp_path).claim(8, ask=True)
    assert (taken.number, taken.point, taken.folder) == (left.number, left.point, left.folder)


@pytest.mark.by_default(1)
@pytest.mark.parametrize("moment", ["ask", "suggest"])
def test_killed_while_it_asks_a_process_leaves_a_trial_that_another_completes(moment, tmp_path, monkeypatch):
    """Never one more than there should be, and no point twice."""

    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    study = opened(tmp_path)
    with monkeypatch.context() as patch:
        if moment == "ask":
            patch.setattr(SharedStudy, "_begun", killed)
        else:
            patch.setattr(module, "suggest", killed)
        with pytest.raises(Killed):
            study.claim(8, ask=True)
    other = opened(tmp_path)
    if moment != "ask":  # the operating system closes what a killed process had open
        lock_of(tmp_path / module.TRIALS / "0000").unlink()
    found = worked(other)
    assert [number for number, _ in found] == list(range(8))
    assert {point for _, point in found} == set(product(["1", "true", "[64,512]", "null"], [1, 2]))
    assert opened(tmp_path).claim(8, ask=True) is None  # a full study is not asked once more


def test_processes_that_open_a_fresh_study_at_once_share_it_and_repeat_nothing(tmp_path):
    """Of two that do so with Optuna alone one may die, and with one seed they propose the same."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(3)

    def work():
        barrier.wait()
        worked(opened(tmp_path))

    workers = [context.Process(target=work) for _ in range(3)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert [one.exitcode for one in workers] == [0, 0, 0]
    found = opened(tmp_path).trials()
    assert [trial.value for trial in found] == [0.1 * number for number in range(8)]
    assert len({tuple(trial.params.values()) for trial in found}) == 8


def test_it_is_created_asked_and_told_behind_the_lock(tmp_path, monkeypatch):
    """Of two processes that open a fresh SQLite study at once, one dies; not always, so that this looks at the lock."""
    held = []

    def watched(function):
        def call(*args, **kwargs):
            handle = locks.take(tmp_path / module.LOCK)
            held.append(handle is None)
            if handle is not None:
                os.close(handle)
            return function(*args, **kwargs)

        return call

    for owner, name in (
        (optuna, "get_all_study_names"),
        (optuna, "create_study"),
        (optuna.Study, "ask"),
        (optuna.Study, "tell"),
    ):
        monkeypatch.setattr(owner, name, watched(getattr(owner, name)))
    worked(opened(tmp_path), 1)
    assert held == [True] * 4


def test_without_asking_only_what_was_left_is_taken(tmp_path):
    study = opened(tmp_path)
    study.claim(8, ask=True).release()
    assert study.claim(8, ask=False).number == 0
    assert study.claim(8, ask=False) is None


@pytest.mark.parametrize(
    ("definition", "directions", "says"),
    [
        (DEFINITION, ["minimize"], "directions maximize there"),
        ({**DEFINITION, "sampler": "tpe"}, ["maximize"], "sampler random there and tpe here"),
        (
            {**DEFINITION, "space": {**SPACE.form, "b": {"int": [1, 3]}}},
            ["maximize"],
            r"space b int \[1, 2\] there and \[1, 3\] here",
        ),
    ],
)
def test_another_study_of_the_same_name_is_refused_with_the_difference(definition, directions, says, tmp_path):
    """Optuna takes the old direction silently, and accepts another range."""
    opened(tmp_path)
    with pytest.raises(UserError, match=says):
        opened(tmp_path, definition, directions)
    opened(tmp_path)


def test_a_study_of_other_programs_is_refused(tmp_path):
    url = f"sqlite:///{tmp_path / 'other.db'}"
    foreign = optuna.create_study(study_name="ner", storage=url, direction="maximize")
    foreign.add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(UserError, match=r"was not made by ctxlab sweep: give another sweep.study="):
        opened(tmp_path, url=url)


@pytest.mark.parametrize("url", ["nonsense", "sqlite:////nowhere/at/all/x.db", "mysql://a:secret@host/b"])
def test_a_storage_that_cannot_be_opened_is_one_sentence_without_its_password(url, tmp_path, monkeypatch):
    monkeypatch.setattr(Place, "lock", property(lambda self: self.folder / "lock"))
    with pytest.raises(UserError, match=r"sweep.storage=.* cannot be opened") as refused:
        opened(tmp_path, url=url)
    assert "secret" not in str(refused.value)


def test_of_another_machine_nothing_is_taken_and_its_last_trial_is_not_exceeded(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    there = opened(tmp_path / "there", url=url)
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    left = there.claim(2, ask=True)
    left.release()
    monkeypatch.undo()
    here = opened(tmp_path / "here", url=url)
    mine = here.claim(2, ask=True)
    assert (mine.number, mine.folder.parent.parent) == (1, tmp_path / "here")
    assert here.claim(2, ask=True) is None


def test_a_trial_worse_than_the_median_at_the_same_step_is_cut_short_once(tmp_path):
    """Four finished trials at 0.4 to 0.7; the median at step 10 is 0.55."""
    study = opened(tmp_path, prunes=True)
    for number in range(4):
        claimed = study.claim(8, ask=True)
        assert not study.report(claimed, 10, 0.4 + 0.1 * number)
        study.finish(claimed, [0.9])
    good, bad = study.claim(8, ask=True), study.claim(8, ask=True)
    assert not study.report(good, 10, 0.56)
    assert study.report(bad, 10, 0.54)
    study.mark_pruned(bad, 10)
    bad.release()
    again = study.claim(8, ask=False)  # the process that cut it short was killed before it said so
    assert (again.number, again.pruned_at, again.reported) == (bad.number, 10, {10})
    study.prune(again)
    assert study.trials()[bad.number].state is optuna.trial.TrialState.PRUNED


def test_differences_name_keys_and_both_values():
    assert differences({"a": {"b": 1}, "c": "x"}, {"a": {"b": 2, "d": 3}}) == [
        "a b 1 there and 2 here",
        "a d nothing there and 3 here",
        "c x there and nothing here",
    ]


def test_passwords_are_not_shown(tmp_path):
    assert Place.of(tmp_path, "postgresql://me:pa@ss@host/db", "n").title == "postgresql://me:***@host/db"
    assert Place.of(tmp_path, "sqlite:///a.db", "n").title == "sqlite:///a.db"
