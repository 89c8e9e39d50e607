"""A run directory belongs to one process."""

import fcntl
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ctxlab.command import run_directory
from ctxlab.command.run_directory import claim
from ctxlab.core.errors import UserError


def test_a_directory_that_exists_is_refused_and_untouched(ctxlab):
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("precious")
    outcome = ctxlab("train", "hydra.run.dir=mine")
    assert outcome.status == 2
    assert "mine exists and is not empty" in outcome.err
    assert [path.name for path in Path("mine").iterdir()] == ["notes.txt"]
    assert ctxlab("train", "-m", "hydra.sweep.dir=mine", "seed=1,2").status == 2
    assert [path.name for path in Path("mine").iterdir()] == ["notes.txt"]


def test_an_empty_directory_is_taken_once(ctxlab):
    Path("mine").mkdir()
    assert ctxlab("train", "hydra.run.dir=mine").status == 0
    assert ctxlab("train", "hydra.run.dir=mine").status == 2


def test_a_run_with_checkpoints_says_how_to_go_on(ctxlab):
    made = ctxlab("train", "hydra.run.dir=mine")
    (made.run_dir / "checkpoints").mkdir()
    assert f"ctxlab train resume={made.run_dir}" in ctxlab("train", "hydra.run.dir=mine").err


@pytest.mark.by_default(1)
@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_in_the_way_is_named(ctxlab, place):
    Path("file").write_text("precious")
    outcome = ctxlab("train", f"hydra.run.dir={place}")
    assert outcome.status == 2
    assert "file is in the way" in outcome.err
    assert Path("file").read_text() == "precious"


def test_a_place_that_cannot_be_written_is_named(ctxlab):
    outcome = ctxlab("train", "hydra.run.dir=/proc/nothing/here")
    assert outcome.status == 2
    assert "hydra.run.dir=/proc/nothing/here cannot be created" in outcome.err
    assert outcome.calls == []


def test_of_many_who_come_at_once_one_gets_it(tmp_path):
    def attempt(place):
        try:
            claim(place, "hydra.run.dir", ".hydra/")
        except UserError:
            return 0
        return 1

    with ThreadPoolExecutor(16) as pool:
        for number in range(30):
            places = [tmp_path / str(number)] * 16
            assert sum(pool.map(attempt, places)) == 1


def test_simultaneous_starts_never_share_a_directory(ctxlab):
    assert len({ctxlab("train").run_dir for _ in range(3)}) == 3


def test_wrong_values_are_found_before_anything_is_made(ctxlab):
    assert ctxlab("train", "trainer.num_workers=-1", "hydra.run.dir=new").status == 2
    assert not Path("new").exists()


def test_a_run_in_use_is_not_resumed(ctxlab, monkeypatch):
    monkeypatch.setattr(run_directory, "PATIENCE_SECONDS", 0.2)
    made = ctxlab("train")
    code = (
        "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], 0), fcntl.LOCK_EX); print('held', flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(made.run_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline() == "held\n"
        outcome = ctxlab("train", f"resume={made.run_dir}")
        assert outcome.status == 2
        assert "in use by another process" in outcome.err
        assert outcome.calls == []
        holder.communicate("\n")
    assert ctxlab("train", f"resume={made.run_dir}").status == 0


def test_a_stage_runs_under_the_lock_and_it_is_released(ctxlab, monkeypatch):
    import ctxlab.stages.train as stage

    seen = []
    monkeypatch.setattr(stage, "run", lambda parts: seen.append((parts[1], _is_locked(parts[1]))))
    assert ctxlab("train").status == 0
    assert seen[0][1]
    assert not _is_locked(seen[0][0])


def _is_locked(folder):
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


@pytest.mark.slow
def test_a_run_that_did_no_work_takes_the_folders_made_for_it_along(ctxlab):
    kept = ctxlab("train")
    for words in (["seed=14"], ["seed=14", "hydra.run.dir=one/two"], ["seed=16"]):
        ctxlab("train", *words)
    assert list(Path("outputs/train").glob("*/*")) == [kept.run_dir.relative_to(Path.cwd())]
    assert not Path("one").exists()


def test_an_empty_folder_of_the_user_stays_and_is_empty_again(ctxlab):
    Path("mine").mkdir()
    assert ctxlab("train", "seed=14", "hydra.run.dir=mine").status == 2
    assert list(Path("mine").iterdir()) == []


@pytest.mark.by_default(1)
@pytest.mark.parametrize("name", ["metrics.jsonl", "checkpoints/step-1/model", "notes.txt", "predictions/test.jsonl"])
def test_what_a_run_has_done_stays_whatever_ends_it(ctxlab, monkeypatch, name):
    import ctxlab.stages.train as stage

    def run(parts):
        (parts[1] / name).parent.mkdir(parents=True, exist_ok=True)
        (parts[1] / name).write_text("work")
        raise UserError("seed=1 is refused: take another.")

    monkeypatch.setattr(stage, "run", run)
    assert ctxlab("train", "hydra.run.dir=run").status == 2
    assert Path("run", name).read_text() == "work"
    assert Path("run/failure.json").is_file()


def test_a_run_that_is_resumed_is_never_removed(ctxlab):
    made = ctxlab("train")
    (made.run_dir / "result.json").unlink()
    assert ctxlab("train", f"resume={made.run_dir}", "seed=14").status == 2
    assert (made.run_dir / "config.yaml").is_file()
