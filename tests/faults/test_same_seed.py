"""The same seed gives the same run: under other hash seeds, locales and directories, with a cold and a warm cache."""

import hashlib
import json
import os
import subprocess
import sys

import pytest

from ctxlab.config import catalogue
from ctxlab.tracking.metrics_file import read_metrics
from tests.contracts.task_runs import MODELS, command, form, supports

CLOCK = ("seconds", "tokens_per_second")

SURROUNDINGS = (
    {"PYTHONHASHSEED": "0", "LC_ALL": "C", "TZ": "UTC"},
    {"PYTHONHASHSEED": "4242", "LC_ALL": "C.UTF-8", "TZ": "Asia/Shanghai"},
)

PAIRS = [(task, kind) for task in catalogue.options("task") for kind in MODELS if supports(task, kind)]
HEADS = list({(task, form(task, kind).head): (task, kind) for task, kind in reversed(PAIRS)}.values())
CASES = [pytest.param(*pair, id="-".join(pair)) for pair in HEADS]


@pytest.mark.faults
@pytest.mark.parametrize(("task", "kind"), CASES)
def test_the_same_seed_gives_the_same_run(task, kind, tmp_path, promise):
    found = []
    for number, surroundings in enumerate(SURROUNDINGS):
        place, run = tmp_path / str(number), tmp_path / f"run-{number}"
        place.mkdir()
        environment = {**os.environ, **surroundings, "OMP_NUM_THREADS": "1", "CTXLAB_CACHE": str(tmp_path / "cache")}
        words = [sys.executable, "-m", "ctxlab", *command(task, MODELS[kind], "chunk"), f"hydra.run.dir={run}"]
        done = subprocess.run(words, env=environment, cwd=place, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
        found.append(outcome(run))
    assert found[0] == found[1]
    if (task, kind) == HEADS[-1]:
        promise(
            "the same seed gives the same run",
            f"{len(HEADS)} heads of {len(catalogue.options('task'))} tasks, each trained twice: under other hash "
            "seeds, locales, time zones and directories, with a cold and a warm cache",
            "the same weights, logged points, predictions and scores",
        )


def outcome(run):
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    folder = run / result["checkpoint"]
    files = [*folder.glob("*.safetensors"), *(run / "predictions").iterdir(), *(run / "scores").iterdir()]
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    rows = [
        {key: value for key, value in row.items() if key not in CLOCK} for row in read_metrics(run / "metrics.jsonl")
    ]
    return sums, rows, result["metrics"], result["breakdowns"]
