"""Checkpoints are complete or absent, and damage is detected."""

import errno
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ctxlab.core.errors import UserError
from ctxlab.training import checkpoint


def write_files(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 8)
    (folder / "state.json").write_text('{"step": 1}')


def make_run(tmp_path: Path, steps: list[int]) -> Path:
    for step in steps:
        name = checkpoint.save(tmp_path, step, write_files)
        checkpoint.write_pointer(tmp_path, "latest", name, step=step)
    return tmp_path


def test_save_leaves_a_verified_folder_and_nothing_temporary(tmp_path):
    run = make_run(tmp_path, [120])
    folder = run / "checkpoints" / "step-00000120"
    assert checkpoint.fault(folder) is None
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["step-00000120"]
    assert set(json.loads((folder / "manifest.json").read_text())) == {"model.safetensors", "state.json"}


@pytest.mark.parametrize("name", ["model.safetensors", "state.json"])
def test_every_single_flipped_bit_is_found(tmp_path, name):
    run = make_run(tmp_path, [1])
    path = run / "checkpoints" / "step-00000001" / name
    whole = path.read_bytes()
    for position in range(0, len(whole), max(1, len(whole) // 60)):
        for bit in (0, 7):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            path.write_bytes(bytes(damaged))
            assert "damaged" in (checkpoint.fault(path.parent) or "")
    path.write_bytes(whole)
    assert checkpoint.fault(path.parent) is None


def test_a_damaged_checkpoint_is_named_and_the_previous_one_used(tmp_path, caplog):
    run = make_run(tmp_path, [1, 2])
    (run / "checkpoints" / "step-00000002" / "model.safetensors").write_bytes(b"x")
    assert checkpoint.latest_valid(run).name == "step-00000001"
    assert "step-00000002" in caplog.text
    assert checkpoint.find(run, "latest").name == "step-00000001"


def test_half_a_save_is_never_a_checkpoint(tmp_path):
    run = make_run(tmp_path, [1])

    def die(folder: Path) -> None:
        write_files(folder)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        checkpoint.save(run, 2, die)
    assert checkpoint.names(run) == ["step-00000001"]
    assert checkpoint.save(run, 2, write_files) == "step-00000002"  # what was left is in nobody's way


def test_rotation_keeps_the_best_and_the_newest(tmp_path):
    run = make_run(tmp_path, [1, 2, 3, 4, 5])
    checkpoint.write_pointer(run, "best", "step-00000002", step=2)
    checkpoint.rotate(run, num_kept=2)
    assert checkpoint.names(run) == ["step-00000002", "step-00000004", "step-00000005"]


def test_a_pointer_cannot_lead_outside_the_run(tmp_path):
    run = make_run(tmp_path / "run" if (tmp_path / "run").mkdir() is None else tmp_path, [1])
    (run / "best.json").write_text(json.dumps({"checkpoint": "../../elsewhere"}))
    assert checkpoint.read_pointer(run, "best") is None
    assert checkpoint.find(run, "best").name == "step-00000001"


def test_no_checkpoint_at_all_is_said(tmp_path):
    with pytest.raises(UserError, match="has no valid checkpoint"):
        checkpoint.find(tmp_path, "best")


def test_a_full_disk_is_one_sentence_and_loses_nothing(tmp_path):
    run = make_run(tmp_path, [1])

    def fill(folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UserError, match=r"step 2 .*No space left.*resume="):
        checkpoint.save(run, 2, fill)
    assert checkpoint.names(run) == ["step-00000001"]
    assert len(list((run / "checkpoints").iterdir())) == 1


def test_a_file_that_the_system_refuses_to_grow_is_a_user_error_too(tmp_path):
    """The safetensors writer raises its own error, not OSError: make the kernel refuse it for real."""
    code = textwrap.dedent("""
        import resource, signal, sys, torch
        from pathlib import Path
        from safetensors.torch import save_file
        from ctxlab.core.errors import UserError
        from ctxlab.training import checkpoint
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            checkpoint.save(Path(sys.argv[1]), 3, lambda f: save_file({"x": torch.zeros(100_000)}, f / "m.safetensors"))
        except UserError as error:
            print("refused:", error)
    """)
    out = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert out.stdout.startswith("refused: The checkpoint of step 3 cannot be written"), out.stdout + out.stderr
    assert checkpoint.names(tmp_path) == []
