"""kill -9 at random points, some during a save: every resumed run ends bit-identical to the uninterrupted one."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ctxlab.tracking.metrics_file import read_metrics

CLOCK = ("seconds", "tokens_per_second")


def outcome(run: Path) -> tuple:
    checkpoint = run / "checkpoints" / "step-00000016"
    files = {name: hashlib.sha256((checkpoint / name).read_bytes()).hexdigest() for name in
             ("model.safetensors", "optimizer.safetensors", "config.json", "tokenizer.json")}  # fmt: skip
    rows = [
        {key: value for key, value in row.items() if key not in CLOCK} for row in read_metrics(run / "metrics.jsonl")
    ]
    scores = json.loads((run / "result.json").read_text())["metrics"]
    return files, rows, scores


@pytest.mark.parametrize("points", [2, pytest.param(20, marks=pytest.mark.faults)])
def test_kills_change_nothing(points, tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CTXLAB_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, str(Path(__file__).with_name("kill_driver.py")), str(tmp_path), str(points)]
    out = subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment, cwd=tmp_path)
    log = (tmp_path / "log.txt").read_text()[-3000:] if (tmp_path / "log.txt").exists() else ""
    assert out.returncode == 0, out.stderr[-3000:] + log
    facts = json.loads(out.stdout.strip().splitlines()[-1])
    assert set(facts["codes"]) == {0}, log
    assert facts["killed"] >= points * 3 // 4, facts  # the others had ended before their moment came
    assert facts["inside"] >= points // 6, facts
    files, rows, scores = outcome(Path(facts["whole"]))
    assert [row["step"] for row in rows if row["kind"] == "validation"] == [5, 10, 15, 16]
    assert [row["step"] for row in rows if row["kind"] == "train"] == [3, 6, 9, 12, 15, 16]
    for run in facts["runs"]:
        assert outcome(Path(run)) == (files, rows, scores), run
