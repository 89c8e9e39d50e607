"""Large files: training starts at once, memory stays bounded, and a resumed run reads exactly what comes next."""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path
from random import Random

import pytest
import torch

from ctxlab.data import streamed
from ctxlab.data.sources import files
from tests.faults.test_data_order import Seen, interrupted, observed
from tests.training.runs import make_job

ROOT = Path(__file__).parents[2]

BIG_MEGABYTES = int(os.environ.get("CTXLAB_BIG_MEGABYTES", "200"))
"""Size of the large file of the long form; the promise is about 2,000."""

MOST_SECONDS, MOST_BYTES = 30, int(1.5e9)

OPTIONS = (
    "task=classification", "trainer.tokens_per_step=1024", "trainer.tokens_per_forward=256", "trainer.max_epochs=3",
    "trainer.save_every_steps=4", "trainer.log_every_steps=5", "model.dropout=0.1",
)  # fmt: skip

SENTENCES = (
    "The harbour was quiet before the storm came in.", "Nobody had expected so many letters from the north.",
    "A committee of nine members met again on Thursday.", "She paid for the bread and left without a word.",
    "Prices rose in all regions except the smallest one.", "It rained.",
)  # fmt: skip


def write_corpus(path: Path, num_bytes: int, task: str = "classification") -> int:
    """Write texts of a few to some hundred words, or words with tags; returns the number of documents."""
    draw, size, count = Random(0), 0, 0
    with path.open("w") as file:
        while size < num_bytes:
            text = " ".join(draw.choices(SENTENCES, k=draw.randint(1, 60)))
            row = {"id": f"d{count}", "text": text, "label": draw.choice(["news", "mail", "novel"])}
            if task == "ner":
                words = text.split()
                tags = [draw.choice(["B-PER", "B-ORG"]) if word[0].isupper() else "O" for word in words]
                row = {"id": f"d{count}", "tokens": words, "tags": tags}
            size += file.write(json.dumps(row) + "\n")
            count += 1
    return count


def begin(whole: Path, part: Path, num_lines: int) -> None:
    """Copy the first lines of a file."""
    with whole.open() as file:
        part.write_text("".join(islice(file, num_lines)))


@pytest.fixture
def corpus(tmp_path):
    """A hundred texts, and the options that train on them."""
    write_corpus(tmp_path / "train.jsonl", 30_000)
    begin(tmp_path / "train.jsonl", tmp_path / "dev.jsonl", 2)
    return (*OPTIONS, f"data.train_file={tmp_path}/train.jsonl", f"data.validation_file={tmp_path}/dev.jsonl")


def check_epochs(whole: Seen, num_blocks: int) -> None:
    """Every epoch reads the same windows once, in an order of its own; a pass of the loop is a block."""
    epochs = [[row[3:] for row in whole if row[0] // num_blocks == epoch] for epoch in range(3)]
    assert all(len(set(rows)) == len(rows) for rows in epochs)
    assert set(epochs[0]) == set(epochs[1]) == set(epochs[2])
    assert epochs[0] != epochs[1] != epochs[2]


@pytest.mark.faults
@pytest.mark.parametrize("points", [2, 30])
@pytest.mark.parametrize("where", ["memory", "file"])
def test_a_resumed_run_reads_what_comes_next(points, where, corpus, tmp_path, monkeypatch, promise):
    if where == "file":
        monkeypatch.setattr(files, "STREAMED_BYTES", 1)
        monkeypatch.setattr(streamed, "BLOCK_BYTES", 6000)
    job = make_job(tmp_path / "whole", *corpus)
    whole, weights = observed(job), job.weights()
    assert (job.documents.streamed is None) == (where == "memory")
    num_blocks = 1 if where == "memory" else job.documents.streamed.num_blocks
    assert num_blocks == (1 if where == "memory" else 5)
    check_epochs(whole, num_blocks)
    steps = whole[-1][1] + 1
    assert max(Counter(step for step, _ in {(row[1], row[2]) for row in whole}).values()) >= 4
    for number in range(points):
        after, killed = 1 + number * (steps - 1) // points, number % 2 == 0
        before, rest, begin = interrupted(tmp_path / str(number), corpus, after, killed=killed)
        assert begin == ((after - 1) // 4 * 4 if killed else after)  # a kill comes before the save of its step
        assert before == [row for row in whole if row[1] < after]
        assert rest == [row for row in whole if row[1] >= begin]
    second = make_job(tmp_path / "0", *corpus, resume=True)  # the run that ended: its last weights
    assert all(torch.equal(weights[name], tensor) for name, tensor in second.weights().items())
    if points >= 30 and where == "file":
        promise(
            "a run on a large file resumes exactly",
            f"{points} points over three epochs of 5 blocks, half of them kills and half signals; {len(whole):,} "
            "windows are compared by document and place, then the weights",
            f"the same windows and bits as without interruption at {points} of {points}",
        )


def run(folder: Path, *words: str) -> dict:
    """Train in a process of its own from ``folder``; returns what the driver saw."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CTXLAB_CACHE": str(folder / "cache"),
                   "PYTHONPATH": str(ROOT)}  # fmt: skip
    command = [sys.executable, "-m", "tests.faults.stream_driver", str(folder / "facts.json"), "train", *words]
    out = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=900)
    assert out.returncode == 0, out.stderr[-3000:]
    return {**json.loads((folder / "facts.json").read_text()), "screen": out.stdout + out.stderr}


TASKS = {
    "lm": ["task=lm", "model=tiny_llama"],
    "classification": ["task=classification", "model=tiny_bert", "task.labels=[mail,news,novel]"],
    "ner": ["task=ner", "model=tiny_bert", "task.labels=[PER,ORG]"],
}


@pytest.mark.faults
@pytest.mark.parametrize("task", TASKS)
def test_a_large_file_trains_at_once_in_little_memory(task, tmp_path, promise):
    big, small = tmp_path / "big.jsonl", tmp_path / "small.jsonl"
    count = write_corpus(big, BIG_MEGABYTES * 10**6, task)
    begin(big, small, 40)
    words = [*TASKS[task], "strategy=chunk", "context=256", "trainer.device=cpu", "tracking=none",
             "trainer.eval_every_steps=null", f"data.validation_file={small}"]  # fmt: skip
    base = run(tmp_path, *words, f"data.train_file={small}", "trainer.max_steps=20")
    found = run(tmp_path, *words, f"data.train_file={big}", "trainer.max_seconds=20")
    big.unlink()
    more_bytes = found["peak_bytes"] - base["peak_bytes"]
    assert f"{count} train" in found["screen"]
    assert found["cpu_seconds"] < MOST_SECONDS  # of one thread: what a machine without other work needs
    assert more_bytes < MOST_BYTES
    promise(
        f"big inputs stream: task={task}",
        f"{BIG_MEGABYTES:,} MB of JSON lines, {count:,} documents, without a token cache: time to the first step, "
        "and peak memory of the process above that of a run on 40 documents",
        f"first step after {found['seconds']:.0f} s, {found['cpu_seconds']:.0f} s of the processor ("
        f"{base['cpu_seconds']:.0f} s on 40 documents), "
        f"{max(more_bytes, 0) / 1e6:,.0f} MB more",
    )


@pytest.mark.faults
def test_two_processes_read_a_large_file_as_one_does(tmp_path, promise):
    write_corpus(tmp_path / "big.jsonl", files.STREAMED_BYTES + 10**6)
    begin(tmp_path / "big.jsonl", tmp_path / "small.jsonl", 20)
    words = ["task=classification", "model=tiny_bert", "strategy=chunk", "context=128", "trainer.device=cpu",
             "tracking=none", "trainer.max_steps=12", "trainer.tokens_per_step=2048", "trainer.tokens_per_forward=512",
             "model.dropout=0.1", f"data.train_file={tmp_path}/big.jsonl",
             f"data.validation_file={tmp_path}/small.jsonl"]  # fmt: skip
    sums = {}
    for name, how in (("lanes", "trainer.lanes=2"), ("two", "trainer.processes=2")):
        command = [sys.executable, "-m", "ctxlab", "train", *words, how, f"hydra.run.dir={tmp_path / name}"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "CTXLAB_CACHE": str(tmp_path / "cache"),
                       "PYTHONPATH": str(ROOT)}  # fmt: skip
        out = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=600)
        assert out.returncode == 0, out.stderr[-3000:]
        saved = tmp_path / name / "checkpoints" / "step-00000012" / "model.safetensors"
        sums[name] = hashlib.sha256(saved.read_bytes()).hexdigest()
    assert sums["lanes"] == sums["two"]
    promise(
        "two processes read a large file as one does",
        "12 steps on a file above the threshold, two processes against one with two lanes",
        "weights identical to the bit",
    )
