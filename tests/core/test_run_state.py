"""What a run directory alone says of its run; locks are taken by another open file, as another process would."""

import fcntl
import json
import os

import pytest

from ctxlab.core import run_state
from ctxlab.core.run_state import State


def test_a_directory_that_nothing_can_go_on_from_is_begun_anew(tmp_path):
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
def test_a_run_without_a_result_says_why_as_far_as_it_left_that(text, says, tmp_path):
    (tmp_path / "failure.json").write_text(text)
    assert run_state.outcome(tmp_path) == says
