"""``ctxlab compare``, killed ten times: no cell is trained twice, none is missing, and the table stays the same."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

WORDS = [
    "compare", "model=tiny_bert", "context=64,128", "strategy=truncate,chunk", "seeds=2", "data.documents=8",
    "data.validation_documents=2", "data.test_documents=4", "data.words_per_document=300", "optimizer.lr=3e-3",
    "trainer.tokens_per_step=256", "trainer.save_every_steps=5", "trainer.log_every_steps=1", "trainer.precision=fp32",
]  # fmt: skip

NUM_CELLS = 8

NUM_KILLS = 10

PATIENCE_SECONDS = 600

MEASURED = ("cost", "standing")
"""Fields of a candidate's row that hold measured times, which differ from run to run."""


def started(words: list[str]) -> subprocess.Popen[bytes]:
    """Start a command whose output is not read."""
    return subprocess.Popen([sys.executable, "-m", "ctxlab", *words], stdout=subprocess.DEVNULL)


def kill(process: subprocess.Popen[bytes], *, with_cell: bool) -> None:
    """Kill the comparison, and at once the process of its cell if asked: otherwise that saves a checkpoint and ends."""
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    cells = [int(word) for word in path.read_text().split()] if process.poll() is None else []
    process.kill()
    process.wait()
    for pid in cells if with_cell else ():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def steps(folder: Path) -> dict[str, list[int]]:
    """Cell → numbers of its training steps in the order of its log."""
    found = {}
    for path in folder.glob("cells/*/metrics.jsonl"):
        lines = map(json.loads, path.read_text().splitlines())
        found[path.parent.name] = [line["step"] for line in lines if line["kind"] == "train"]
    return found


def scored(folder: Path) -> list[dict[str, Any]]:
    """Rows of the comparison without what was measured."""
    rows = json.loads((folder / "comparison.json").read_text())["candidates"]
    return [{key: value for key, value in row.items() if key not in MEASURED} for row in rows]


@pytest.mark.faults
@pytest.mark.parametrize("budget", ["budget.steps=20", "budget.tokens=5000", "budget.flops=4e9"])
def test_ten_kills_change_nothing(budget, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert started([*WORDS, budget, f"hydra.run.dir={whole}"]).wait() == 0
    draw = random.Random(budget)
    words, num_kills, deadline = [*WORDS, budget, f"hydra.run.dir={killed}"], 0, time.monotonic() + PATIENCE_SECONDS
    while True:
        process = started(words)
        if num_kills == NUM_KILLS:
            break
        before = sum(map(len, steps(killed).values()))
        progress = draw.randint(1, 15)  # logged steps until the kill, some of them in the next cell
        while process.poll() is None and sum(map(len, steps(killed).values())) < before + progress:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        kill(process, with_cell=bool(draw.getrandbits(1)))
        num_kills += 1
        if (killed / ".hydra" / "overrides.yaml").is_file():
            words = ["compare", f"resume={killed}"]
    assert process.wait() == 0
    assert set(steps(killed)) == set(steps(whole))
    assert len(steps(killed)) == NUM_CELLS
    assert steps(killed) == steps(whole)  # no step is logged twice, none is missing
    assert scored(killed) == scored(whole)
