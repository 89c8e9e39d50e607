"""What processes of a run exchange while they share work, and how one of them ends it for all; in real processes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SIZES = (2, 3)


@pytest.fixture(scope="module")
def played():
    """What each process found, by scene and number of processes."""
    driver = str(Path(__file__).with_name("together_driver.py"))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    out = subprocess.run([sys.executable, driver], capture_output=True, text=True, timeout=120, env=environment)
    assert out.returncode == 0, out.stderr[-3000:]
    return json.loads(out.stdout.strip().splitlines()[-1])


@pytest.mark.parametrize("size", SIZES)
def test_arrays_of_any_kind_reach_every_process(played, size):
    one = [[["<i8", list(range(r + 1))], ["<f4", [[0.5, 0.5]] * r], ["|b1", True]] for r in range(size)]
    assert played[f"everything-{size}"] == [one] * size


@pytest.mark.parametrize("size", SIZES)
def test_each_pass_is_run_once_and_its_result_is_everywhere(played, size):
    found = played[f"passes-{size}"]
    ran = sorted(item for one in found for item in one["ran"])
    assert ran == list(range(27))
    assert all(len(one["ran"]) >= 27 // size - 3 for one in found)
    runner = {item: rank for rank, one in enumerate(found) for item in one["ran"]}
    for one in found:
        assert one["results"] == [[item, runner[item]] for item in range(27)]
        assert one["tokens"] == sum(2000 - 10 * item for item in range(27))
        assert one["operations"] == 9 * 7.0
    assert all(runner[3 * group] == runner[3 * group + 2] for group in range(9))  # a pass is never divided


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("scene", "sentence"),
    [
        ("mistake", "This document is odd: mend it."),
        ("mistake_at_the_end", "This disk is full: free some space."),
    ],
)
def test_a_mistake_of_one_is_that_of_all(played, scene, sentence, size):
    assert played[f"{scene}-{size}"] == [{"mistake": sentence}] * size


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("scene", "number"),
    [
        ("signalled", signal.SIGTERM),
        ("signalled_in_an_exchange", signal.SIGTERM),
        ("all_signalled", signal.SIGUSR1),
    ],
)
def test_a_signal_to_one_ends_the_work_of_all_and_they_can_still_talk(played, scene, number, size):
    assert played[f"{scene}-{size}"] == [{"signal": number}] * size


@pytest.mark.parametrize("size", SIZES)
def test_a_process_that_is_killed_ends_the_others_with_a_sentence(played, size):
    *left, dead = played[f"killed-{size}"]
    assert dead is None
    assert [one["lost"].split(",")[0] for one in left] == ["Another process of the run ended"] * (size - 1)
