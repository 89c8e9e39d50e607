"""What ran and what is left of it, found out from the directories; what the machine lacks."""

import json
import os
import shutil
import time

import pytest
import torch

from ctxlab.cli import main
from ctxlab.training import checkpoint
from ctxlab.workbench import doctor
from ctxlab.workbench.history import history
from tests.stages.conftest import train


@pytest.fixture
def runs(trained, tmp_path):
    """A finished run, one that was killed after a checkpoint, one that failed, and one that never began."""
    folder = tmp_path / "outputs"
    folder.mkdir()
    shutil.copytree(trained, folder / "whole")
    shutil.copytree(trained, folder / "killed")
    (folder / "killed" / "result.json").unlink()
    (folder / "killed" / ".hydra" / "finished").unlink()
    shutil.copytree(folder / "killed", folder / "failed")
    (folder / "failed" / "failure.json").write_text(json.dumps({"error": "The loss is nan at step 7."}))
    (folder / "bare" / ".hydra").mkdir(parents=True)
    for name in ("config.yaml", "train.log"):
        (folder / "bare" / name).touch()
    shutil.copy(trained / ".hydra" / "overrides.yaml", folder / "bare" / ".hydra")
    for age, name in enumerate(("bare", "failed", "killed", "whole")):
        record = folder / name / ".hydra" / "hydra.yaml"
        moment = time.time() - 60 * age
        os.utime(record if record.exists() else folder / name, (moment, moment))
    return folder


def test_runs_are_told_apart_by_how_they_ended(runs):
    found = history(runs)
    assert [run.folder.name for run in found] == ["bare", "failed", "killed", "whole"]
    last = checkpoint.names(runs / "killed")[-1]
    ended = [run.ended for run in found]
    later = f"{last} can be continued"
    assert ended == ["killed", f"The loss is nan at step 7; {later}", f"killed; {later}", "finished"]
    assert [run.never_began for run in found] == [True, False, False, False]
    assert found[-1].score.startswith("f1 ")
    assert found[-1].command.startswith("train task=ner")


def test_a_run_that_a_process_works_on_is_running_and_never_cleaned(runs):
    handle = take_folder(runs / "bare")
    try:
        (run,) = [run for run in history(runs) if run.folder.name == "bare"]
        assert (run.ended, run.never_began) == ("running", False)
    finally:
        os.close(handle)


def take_folder(folder):
    """Lock a folder as a run does."""
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def test_the_command_lists_and_cleans(runs, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["runs", str(runs)]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("whole", "killed", "failed", "never began", "--clean removes them"))
    before = sorted(path for path in runs.rglob("*") if path.is_relative_to(runs / "whole"))
    assert main(["runs", str(runs), "--clean"]) == 0
    assert "1 of 4 runs" in capsys.readouterr().out
    assert sorted(path.name for path in runs.iterdir()) == ["failed", "killed", "whole"]
    assert sorted(path for path in runs.rglob("*") if path.is_relative_to(runs / "whole")) == before


@pytest.mark.parametrize("words", [["runs", "nowhere"], ["runs", "--tidy"], ["runs", "a", "b"], ["doctor", "--all"]])
def test_mistakes_are_one_sentence(words, refused):
    assert refused(words)


def test_every_checkpoint_is_checked_and_the_newest_whole_one_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert (
        train(tmp_path / "run", "trainer.save_every_steps=2", "trainer.max_steps=4", "trainer.keep_checkpoints=3") == 0
    )
    (tmp_path / "run" / "result.json").unlink()
    first, last = checkpoint.names(tmp_path / "run")
    capsys.readouterr()
    assert main(["doctor", str(tmp_path / "run")]) == 1
    assert f"continues from {last}" in " ".join(capsys.readouterr().out.split())
    weights = tmp_path / "run" / "checkpoints" / last / "model.safetensors"
    flipped = bytearray(weights.read_bytes())
    flipped[-5] ^= 1
    weights.write_bytes(flipped)
    found = {one.what: one for one in doctor.examine_run(tmp_path / "run")}
    assert "model.safetensors is damaged" in found[last].found
    assert "whole" in found[first].found
    assert first in found["state"].fix


def test_a_finished_run_needs_nothing(trained, capsys):
    assert main(["doctor", str(trained)]) == 0
    assert "Nothing is wrong" in capsys.readouterr().out


def test_a_folder_that_is_no_run_is_refused(tmp_path, refused):
    assert "is no run directory" in refused(["doctor", str(tmp_path)])


def test_the_machine_is_described_with_fixes(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setattr(doctor.machine, "available_bytes", lambda: 2**20)
    found = {one.what: one for one in doctor.examine()}
    assert "unset OMP_NUM_THREADS, or set it to 4" in found["cores"].fix
    assert found["memory"].fix
    assert "switched off" in found["tracking=wandb"].found
    assert not found["device"].fix
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert not {one.what: one for one in doctor.examine()}["cores"].fix


def test_a_process_without_the_others_is_refused_and_leaves_nothing(tmp_path, monkeypatch, refused):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    monkeypatch.setenv("RANK", "1")
    found = refused(["train", "model=tiny_bert", f"hydra.run.dir={tmp_path / 'run'}"])
    assert "MASTER_ADDR is not set: start them with torchrun" in found
    assert not (tmp_path / "run").exists()
