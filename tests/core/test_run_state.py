"""The state of a run, from its directory alone; locks are taken through another file handle, as by another process."""

import fcntl
import json
import os

import pytest

from ctxlab.core import run_state
from ctxlab.core.run_state import State


def test_a_directory_without_anything_to_resume_is_started_again(tmp_path):
    folder = tmp_path / "cell"
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "overrides.yaml").touch()
    assert run_state.state(folder) is State.ABSENT
    assert not folder.exists()


def test_a_run_with_its_configuration_can_be_resumed_and_one_with_a_result_is_done(tmp_path):
    (tmp_path / ".hydra").mkdir()
    for name in ("overrides.yaml", "hydra.yaml", "config.yaml"):
        (tmp_path / ".hydra" / name).touch()
    assert run_state.state(tmp_path) is State.STARTED
    (tmp_path / "result.json").touch()
    assert run_state.state(tmp_path) is State.DONE


def test_a_directory_is_locked_as_long_as_another_has_locked_it(tmp_path):
    assert not run_state.is_locked(tmp_path / "absent")
    handle = os.open(tmp_path, os.O_RDONLY)
    assert not run_state.is_locked(tmp_path)
    fcntl.flock(handle, fcntl.LOCK_EX)
    assert run_state.is_locked(tmp_path)
    os.close(handle)
    assert not run_state.is_locked(tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (json.dumps({"error": "seed=14 is refused."}), "seed=14 is refused."),
        ("{", "it ended without a message: it was killed"),
        ("[]", "it ended without a message: it was killed"),
    ],
)
def test_a_run_without_a_result_says_why_if_it_left_a_reason(text, says, tmp_path):
    (tmp_path / "failure.json").write_text(text)
    assert run_state.outcome(tmp_path) == says
