"""kill -9 at random points, some during a save: every resumed run ends bit-identical to the uninterrupted one."""

import hashlib
import json
import os
import signal
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


MEMORY = ("task=lm", "model=tiny_llama", "strategy=transformer_xl", "context=128")
GROWING = ("strategy=progressive", "context=256", "trainer.max_steps=16")
"""Runs with a memory, and with a curriculum."""


def drive(how: str, folder: Path, points: int, options: tuple[str, ...]) -> dict:
    """Run the driver, and return the facts that it prints."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CTXLAB_CACHE": str(folder / "cache")}
    driver = str(Path(__file__).with_name("kill_driver.py"))
    command = [sys.executable, driver, how, str(folder), str(points), *options]
    out = subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment, cwd=folder)
    log = (folder / "log.txt").read_text()[-3000:] if (folder / "log.txt").exists() else ""
    assert out.returncode == 0, out.stderr[-3000:] + log
    facts = json.loads(out.stdout.strip().splitlines()[-1])
    assert set(facts["codes"]) == {0}, log
    return facts


def check_runs(facts: dict) -> None:
    """Every run ended as the whole one: weights, optimizer, logged points and scores."""
    files, rows, scores = outcome(Path(facts["whole"]))
    assert [row["step"] for row in rows if row["kind"] == "validation"] == [5, 10, 15, 16]
    assert [row["step"] for row in rows if row["kind"] == "train"] == [3, 6, 9, 12, 15, 16]
    for run in facts["runs"]:
        found = outcome(Path(run))
        assert found[1] == rows, run
        assert found == (files, rows, scores), run


@pytest.mark.parametrize(
    ("points", "options"),
    [
        pytest.param(2, (), marks=pytest.mark.faults, id="2 points"),
        pytest.param(20, (), marks=pytest.mark.faults, id="20 points"),
        pytest.param(20, MEMORY, marks=pytest.mark.faults, id="20 points, a memory"),
        pytest.param(20, GROWING, marks=pytest.mark.faults, id="20 points, a curriculum"),
    ],
)
def test_kills_change_nothing(points, options, tmp_path, promise):
    facts = drive("kill", tmp_path, points, options)
    assert facts["killed"] >= points * 3 // 4, facts  # the others had ended before their moment came
    assert facts["inside"] >= points // 6, facts
    check_runs(facts)
    if points >= 20:
        what = {(): "", MEMORY: ", with a memory", GROWING: ", with a curriculum"}[options]
        promise(
            f"`kill -9` loses at most the steps since the last checkpoint{what}",
            f"{points} runs killed at random moments, {facts['inside']} inside a save",
            f"{points} of {points} continue and end bit-identical: weights, optimizer, `metrics.jsonl`, scores",
        )


@pytest.mark.faults
@pytest.mark.parametrize("points", [3, 21])
def test_signals_stop_a_run_anywhere_and_change_nothing(points, tmp_path, promise):
    facts = drive("stop", tmp_path, points, ())
    assert len(facts["stopped"]) >= points * 3 // 4, facts
    wanted = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGUSR1: 75}
    # Before the stage begins the system's own handlers count: they end the program by the signal itself.
    assert all(status in (wanted[number], -number) for number, status in facts["stopped"]), facts
    assert facts["late"] < 10, facts
    check_runs(facts)
    if points >= 20:
        promise(
            "SIGTERM, SIGINT and SIGUSR1 stop a run cleanly, with status 143, 130 and 75",
            f"{len(facts['stopped'])} signals at random moments, from loading to the closing evaluation",
            f"ended after {facts['late']:.1f} s at most; all continue and end bit-identical",
        )
