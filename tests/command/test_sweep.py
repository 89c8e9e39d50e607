"""Multirun: a failing job stops nobody, and the end says what came of each."""

import csv
import json
from pathlib import Path

import pytest

from ctxlab.command.sweep import summarise

RESULT = {
    "stage": "train", "task": "ner", "model": "m", "strategy": "chunk", "context_length": 8, "seed": 1,
    "checkpoint": "c", "primary_metric": "f1", "metrics": {"test": {"f1": 1}}, "coverage": {}, "cost": {},
}  # fmt: skip
"""As it was before files had a version."""


def rows(folder):
    with (Path(folder) / "sweep.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_the_others_run_on_and_the_failed_are_named(ctxlab):
    outcome = ctxlab("train", "-m", "seed=1,13,14,2", "context=1024", "hydra.sweep.dir=all")
    assert outcome.status == 1
    assert [config.seed for config, _ in outcome.calls] == [1, 13, 14, 2]
    table = rows("all")
    assert [row["status"] for row in table] == ["done", "failed", "failed", "done"]
    assert [row["job"] for row in table] == ["0", "1", "2", "3"]
    assert table[0]["overrides"] == "seed=1 context='1024'"
    assert table[0]["metric"] == "f1"
    assert [float(row["score"]) for row in table if row["score"]] == [0.1, 0.2]
    assert float(table[0]["coverage_tokens"]) == 0.75
    assert float(table[0]["tokens_per_second"]) == 1234.5
    assert int(table[0]["peak_memory_bytes"]) == 3 * 2**20
    assert "unlucky number" in table[1]["error"]
    said = outcome.err.splitlines()
    assert any("Job 1" in line and "seed=13" in line and "unlucky number" in line for line in said)
    assert any("Job 2" in line and "take another" in line for line in said)
    assert "Traceback" not in outcome.err
    for part in ("seeds", "0.150", "0.071", "75.0%", "MiB", "2 failed", "sweep.csv"):  # of seeds 1 and 2
        assert part in outcome.out
    assert outcome.out.count("1024") == 1  # all jobs share it
    assert "all jobs: context=1024" in outcome.out
    assert max(map(len, outcome.out.splitlines()[1:-1])) <= 80
    assert [row["seed"] for row in table] == ["1", "13", "14", "2"]
    assert "context" not in table[0]


@pytest.mark.by_default(1)
@pytest.mark.parametrize(("seeds", "status"), [("1,2", 0), ("14,15", 2), ("1,14", 1)])
def test_exit_status(ctxlab, seeds, status):
    assert ctxlab("train", "-m", f"seed={seeds}").status == status


@pytest.mark.slow
def test_wrong_values_fail_their_job_only(ctxlab):
    outcome = ctxlab("train", "-m", "trainer.max_steps=0,5")
    assert outcome.status == 1
    assert [config.trainer.max_steps for config, _ in outcome.calls] == [5]
    assert "trainer.max_steps=0" in outcome.err


def test_an_option_that_does_not_exist_stops_the_sweep_before_it_starts(ctxlab):
    outcome = ctxlab("train", "-m", "trainer.max_step=1,2", "hydra.sweep.dir=all")
    assert outcome.status == 2
    assert not Path("all").exists()


@pytest.mark.slow
def test_ctrl_c_still_sums_up(ctxlab):
    outcome = ctxlab("train", "-m", "seed=1,16,2", "hydra.sweep.dir=all")
    assert outcome.status == 130
    assert [row["status"] for row in rows("all")] == ["done", "failed"]
    assert "has no result" in rows("all")[1]["error"]


@pytest.mark.slow
def test_each_job_has_its_own_log_and_directory(ctxlab):
    outcome = ctxlab("train", "-m", "seed=1,13", "hydra.sweep.dir=all")
    assert [path for _, path in outcome.calls] == [Path.cwd() / "all" / "0", Path.cwd() / "all" / "1"]
    assert "unlucky number" in Path("all/1/train.log").read_text()
    assert Path("all/0/train.log").read_text() == ""


def test_directories_of_any_launcher_are_read(tmp_path, capsys):
    for name, overrides in (("10", ["a=1"]), ("9", ["a=2"]), ("deep/er", ["a=3"]), ("2", ["a=4"])):
        (tmp_path / name / ".hydra").mkdir(parents=True)
        (tmp_path / name / ".hydra" / "overrides.yaml").write_text(json.dumps(overrides))
    (tmp_path / "10" / "result.json").write_text(json.dumps(RESULT))
    (tmp_path / "9" / "failure.json").write_text('{"error": "Out of luck.", "type": "X", "exit_status": 2}')
    (tmp_path / "deep" / "er" / "result.json").write_text('{"torn')
    (tmp_path / "2" / ".hydra" / "finished").touch()  # a stage without result.json
    assert summarise(tmp_path) == 1
    found = {row["job"]: row for row in rows(tmp_path)}
    assert list(found) == ["2", "9", "10", "deep/er"]
    assert [row["status"] for row in found.values()] == ["done", "failed", "done", "failed"]
    assert float(found["10"]["score"]) == 1.0
    told = capsys.readouterr().err
    assert "Out of luck." in told
    assert "deep/er/result.json cannot be read" in told


def test_no_jobs_no_table(tmp_path, capsys):
    assert summarise(tmp_path) == 0
    assert capsys.readouterr().out == ""
    assert list(tmp_path.iterdir()) == []


def test_every_key_that_differs_has_a_column_of_80_characters_together(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    strategies, lengths = ("truncate", "chunk", "longformer"), ("512", "16384")
    for number, (strategy, length) in enumerate((s, n) for s in strategies for n in lengths):
        (tmp_path / str(number) / ".hydra").mkdir(parents=True)
        words = ["task=ner", f"strategy={strategy}", f"context='{length}'", "optimizer.lr=0.0005"]
        (tmp_path / str(number) / ".hydra" / "overrides.yaml").write_text(json.dumps(words))
        (tmp_path / str(number) / "failure.json").write_text('{"error": "x", "type": "X", "exit_status": 2}')
    assert summarise(tmp_path) == 2
    shown = capsys.readouterr().out.splitlines()
    lines = [line for line in shown if "longformer" in line]
    cells = [[part for part in line.split() if part != "│"] for line in lines]
    assert [own[:3] for own in cells] == [["4", "longformer", "512"], ["5", "longformer", "16384"]]
    assert max(len(line) for line in shown if str(tmp_path) not in line) <= 80
    assert shown[0] == "all jobs: task=ner optimizer.lr=0.0005"
    assert "lr" not in " ".join(shown[1:6])
