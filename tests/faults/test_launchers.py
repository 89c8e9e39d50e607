"""Jobs of a multirun under other launchers of Hydra: each is a whole run, on one process or several."""

import csv
import json
import os
import subprocess
import sys

import pytest

WORDS = (
    "task=ner", "model=tiny_bert", "context=64", "data.documents=4", "data.validation_documents=1",
    "data.test_documents=1", "data.words_per_document=60", "data.evidence_distance=[16]", "trainer.max_steps=2",
    "tracking=none",
)  # fmt: skip


@pytest.mark.faults
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_a_launcher_runs_every_job_in_its_directory(launcher, processes, tmp_path, promise):
    multirun = [sys.executable, "-m", "ctxlab", "train", "-m", *WORDS, "trainer.lanes=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CTXLAB_CACHE": str(tmp_path / "cache")}

    def run(folder, *words):
        command = [*multirun, *words, f"hydra.sweep.dir={folder}"]
        out = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment, cwd=tmp_path)
        assert out.returncode == 0, out.stderr[-3000:]
        assert "Traceback" not in out.stderr
        with (folder / "sweep.csv").open(newline="") as file:
            assert [row["strategy"] for row in csv.DictReader(file)] == ["chunk", "truncate"]
        results = [json.loads((folder / str(job) / "result.json").read_text()) for job in (0, 1)]
        return [one["metrics"] for one in results], [
            (folder / f"{job}/checkpoints/step-00000002/model.safetensors").read_bytes() for job in (0, 1)
        ]

    own = run(tmp_path / "own", "strategy=chunk,truncate")
    other = run(
        tmp_path / launcher, "strategy=chunk,truncate", f"hydra/launcher={launcher}", f"trainer.processes={processes}"
    )
    assert own == other
    promise(
        f"jobs under hydra/launcher={launcher} are those of Hydra's own, with {processes} processes each",
        "a multirun of two strategies",
        "the same scores and weights, to the bit",
    )
