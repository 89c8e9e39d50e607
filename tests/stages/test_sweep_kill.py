"""``ctxlab sweep`` by two commands at once, killed with all they can do about it, until all is done."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ctxlab.sweeping import study_file

SMALL = [
    "sweep", "model=tiny_bert", "strategy=chunk", "data.documents=4", "data.validation_documents=1",
    "data.test_documents=1", "data.words_per_document=60", "trainer.max_steps=3", "trainer.save_every_steps=1",
    "sweep.sampler=tpe",
]  # fmt: skip

SPACE = "context.length: {choice: [32, 64]}\noptimizer.lr: {choice: [1e-4, 1e-3]}\nseed: {choice: [1, 2]}\n"
"""Eight points."""

KILLS = 10


def start(words: list[str]) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "ctxlab", *words],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill(process: subprocess.Popen) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(path: Path, process: subprocess.Popen) -> None:
    while not path.exists() and process.poll() is None:
        time.sleep(0.2)


@pytest.mark.faults
def test_killed_ten_times_every_trial_is_finished_once(tmp_path):
    """Against the space: each of its eight points once, by what SQLite itself says, not by our reading of it."""
    (tmp_path / "space.yaml").write_text(SPACE)
    folder, draw = tmp_path / "run", random.Random(1)
    first = [*SMALL, f"sweep.space={tmp_path / 'space.yaml'}", f"hydra.run.dir={folder}"]
    process = start(first)
    wait_for(folder / "trials", process)
    join = ["sweep", f"resume={folder}"]
    working = [process, start(join)]
    num_killed = 0
    while num_killed < KILLS:
        time.sleep(draw.uniform(2, 12))
        place = draw.randrange(2)
        if working[place].poll() is None:
            kill(working[place])
            num_killed += 1
        working[place] = start(join)
    for process in working:
        process.wait()
    assert subprocess.run([sys.executable, "-m", "ctxlab", *join], check=False).returncode == 0
    with sqlite3.connect(folder / "study.db") as database:
        states = [state for (state,) in database.execute("SELECT state FROM trials ORDER BY number")]
        values = database.execute("SELECT trial_id, param_name, param_value FROM trial_params").fetchall()
    assert states == ["COMPLETE"] * 8
    points = [frozenset(row[1:] for row in values if row[0] == trial) for trial in {row[0] for row in values}]
    assert len(set(points)) == len(points) == 8
    record = study_file.read(folder)
    assert [one.state for one in record.trials] == ["finished"] * 8
    for one in record.trials:
        lines = (folder / one.run / "metrics.jsonl").read_text().splitlines()
        assert [line["step"] for line in map(json.loads, lines) if line["kind"] == "validation"] == [3]
