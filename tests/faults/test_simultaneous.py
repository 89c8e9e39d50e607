"""Commands that start at the same moment never meet: each has a directory of its own, and the token cache is whole."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ctxlab.tracking.metrics_file import read_metrics

ROOT = Path(__file__).parents[2]
CLOCK = ("seconds", "tokens_per_second")


def outcome(run: Path) -> tuple:
    """What the run came to: its weights, its logged points and its scores."""
    weights = hashlib.sha256((run / "checkpoints" / "step-00000002" / "model.safetensors").read_bytes()).hexdigest()
    rows = [{k: v for k, v in row.items() if k not in CLOCK} for row in read_metrics(run / "metrics.jsonl")]
    return weights, json.dumps(rows), json.dumps(json.loads((run / "result.json").read_text())["metrics"])


def check_cache(cache: Path) -> int:
    """Check every file of the token cache against its checksum; returns the number of entries."""
    assert not list(cache.rglob(".saving-*"))
    manifests = list(cache.rglob("manifest.json"))
    for manifest in manifests:
        for name, checksum in json.loads(manifest.read_text()).items():
            assert hashlib.sha256((manifest.parent / name).read_bytes()).hexdigest() == checksum, manifest.parent / name
    return len(manifests)


@pytest.mark.faults
@pytest.mark.parametrize("count", [3, 20])
def test_simultaneous_starts_never_meet(count, tmp_path, promise):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CTXLAB_CACHE": str(tmp_path / "cache"),
                   "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}  # fmt: skip
    work = tmp_path / "work"
    work.mkdir()
    words = [sys.executable, "-m", "tests.faults.simultaneous_driver", str(work), str(count)]
    out = subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert out.returncode == 0, out.stderr[-3000:]
    facts = json.loads(out.stdout.strip().splitlines()[-1])

    assert [run["code"] for run in facts["own"]] == [0] * count, facts["own"]
    assert all(run["said"] == "" for run in facts["own"]), facts["own"]  # a damaged entry of the cache would be named
    runs = [path.parent for path in (work / "outputs").rglob("result.json")]
    assert len(runs) == count
    assert len({outcome(run) for run in runs}) == 1

    refused = [run for run in facts["fixed"] if run["code"] != 0]
    assert len(refused) == count - 1, facts["fixed"]
    for run in refused:
        assert run["code"] == 2
        assert run["said"].count("\n") == 1, run
        assert "hydra.run.dir=" in run["said"] or "in use by another process" in run["said"], run
    assert outcome(work / "fixed") == outcome(runs[0])
    entries = check_cache(tmp_path / "cache")
    assert entries > 0
    if count >= 20:
        promise(
            "simultaneous starts never meet",
            f"{count} processes start the same command at the same moment with one empty token cache, then {count} "
            "with one hydra.run.dir",
            f"{count} directories with the same weights, points and scores; one of {count} gets the named directory, "
            "the others are refused in one sentence; the cache is whole",
        )
