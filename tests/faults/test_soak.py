"""A long run stays as it is: its memory does not grow, and no file handle or thread is left over."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_GROWTH = 0.03

OPTIONS = (
    "strategy=longformer", "context=256", "data.documents=40", "data.words_per_document=200",
    "trainer.tokens_per_step=256", "trainer.log_every_steps=1", "model.dropout=0.1",
)  # fmt: skip


def soak(folder: Path, steps: int, *options: str) -> dict:
    """Train in a process of its own, and return what it saw of itself."""
    words = [sys.executable, "-m", "tests.faults.soak_driver", str(folder / "run"), str(steps), *OPTIONS, *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CTXLAB_CACHE": str(folder / "cache")}
    out = subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=1500)
    assert out.returncode == 0, out.stderr[-3000:]
    return json.loads(out.stdout.strip().splitlines()[-1])


def check(facts: dict, settled: int) -> float:
    """Check what the process saw after ``settled`` steps; returns the growth of its memory."""
    seen = [row for row in facts["seen"] if row[0] >= settled]
    memory = [row[1] for row in seen]
    growth = max(memory) / memory[0] - 1
    assert growth < MOST_GROWTH, memory
    assert len({tuple(row[2:]) for row in seen}) == 1, seen  # the same handles and threads at every look
    handles, threads = facts["after"]
    assert handles <= facts["before"][0]  # one of before may have been closed since
    assert threads == facts["before"][1]
    assert len(facts["lengths"]) > 1
    return growth


@pytest.mark.faults
def test_a_short_soak_leaves_nothing_over(tmp_path):
    check(
        soak(tmp_path, 150, "trainer.save_every_steps=50", "trainer.eval_every_steps=75"), settled=100
    )  # after an evaluation


@pytest.mark.faults
def test_two_thousand_steps_change_nothing(tmp_path, promise):
    facts = soak(tmp_path, 2000, "trainer.save_every_steps=100", "trainer.eval_every_steps=250")
    growth = check(facts, settled=500)
    lengths = facts["lengths"]
    promise(
        "a long run does not grow",
        f"2,000 steps over windows of {lengths[0]} to {lengths[-1]} tokens, with 20 saves and 8 evaluations",
        f"memory from step 500 to the end within {max(growth, 0.001):.1%}, no file handle or thread left over",
    )
