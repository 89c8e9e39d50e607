"""This build against an earlier one that is checked out beside it: both run the same commands in turn.

The libraries are those of this environment for both.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from scripts.bench.timing import row

COMMIT = "591f730"
"""The build before parts were made faster."""

ROUNDS = 2
"""Times that every command runs in each build."""

SMALL = (
    "data.documents=4", "data.validation_documents=1", "data.test_documents=1", "data.words_per_document=60",
    "data.evidence_distance=[16]",
)  # fmt: skip
MINILM = ("train", "task=ner", "model=minilm", "context=4096", "strategy=longformer", "tracking=none")
GENERATION = (
    "eval", "task=generation", "model=tiny_llama", "model.hidden_size=256", "model.num_layers=4", "context=4096",
    "strategy=yarn", "strategy/attention=local", "data.test_documents=1", "data.words_per_document=1700",
    "split=test", "tracking=none",
)  # fmt: skip

NEW_TOKENS = 64
"""Tokens generated after a window of 4,000."""

STEPS, COLD_STEPS = 10, 4
"""Steps of training, and those of them that are not timed."""

LONG_TOKENS, MIXED = 400_000, (60, 4000, 32)
"""Words of the long document; fewest and most words, and number, of the mixed ones."""


@dataclass(frozen=True)
class Build:
    """A checkout of the program, and a folder for what it writes."""

    source: Path
    folder: Path

    def run(self, name: str, words: Sequence[str]) -> float:
        """Run a command; returns its seconds."""
        started = perf_counter()
        command = [sys.executable, "-m", "ctxlab", *words, f"hydra.run.dir={self.folder / name}"]
        environment = {**os.environ, "PYTHONPATH": str(self.source), "CTXLAB_CACHE": str(self.folder / "cache")}
        subprocess.run(command, check=True, stdout=sys.stderr, cwd=self.source, env=environment)
        return perf_counter() - started

    def cost(self, name: str) -> dict[str, Any]:
        """Return the costs of a run."""
        found: dict[str, Any] = json.loads((self.folder / name / "result.json").read_text(encoding="utf-8"))["cost"]
        return found


def measure(_: Path) -> list[dict[str, Any]]:
    """Return a row for each command."""
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base)
        before = folder / "source"
        git = ["git", "worktree", "add", "--detach", str(before), COMMIT]
        subprocess.run(git, check=True, stdout=sys.stderr, stderr=sys.stderr)
        try:
            builds = [Build(before, folder / "before"), Build(Path.cwd(), folder / "now")]
            for build in builds:
                build.folder.mkdir()
            return [*_training(builds), *_generation(builds), *_prediction(builds, folder), *_start(builds)]
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(before)], check=False, stderr=sys.stderr)


def _training(builds: Sequence[Build]) -> list[dict[str, Any]]:
    rates: dict[Build, list[float]] = {build: [] for build in builds}
    peaks: dict[Build, int] = {}
    limits = ("data.documents=24", f"trainer.max_steps={STEPS}", "trainer.log_every_steps=1")
    for number in range(ROUNDS):
        for build in builds:
            name = f"train-{number}"
            build.run(name, (*MINILM, *limits))
            lines = (build.folder / name / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
            rows = {one["step"]: one for one in map(json.loads, lines) if one["kind"] == "train"}
            first, last = rows[COLD_STEPS], rows[STEPS]
            rates[build].append((last["tokens"] - first["tokens"]) / (last["seconds"] - first["seconds"]))
            peaks[build] = build.cost(name)["peak_memory_bytes"]
    before, now = builds
    return [
        row("training step of MiniLM at 4,096, tokens per second over before", _ratio(rates[now], rates[before]),
            at_least=1.1),
        row("… peak memory over before", peaks[now] / peaks[before], at_most=1.0),
    ]  # fmt: skip


def _generation(builds: Sequence[Build]) -> list[dict[str, Any]]:
    """Compare evaluations that generate one token and many, so that reading the window is not in the difference."""
    seconds: dict[int, list[float]] = {1: [], NEW_TOKENS: []}
    for count, found in seconds.items():
        for build in builds:
            build.run(f"generation-{count}", (*GENERATION, f"task.decoding.max_new_tokens={count}"))
            found.append(build.cost(f"generation-{count}")["evaluation_seconds"])
    few, many = seconds.values()
    before, now = (long - short for long, short in zip(many, few, strict=True))
    return [
        row(f"{NEW_TOKENS} new tokens after 4,000 under local attention, before over now", before / now, at_least=10),
        row("… with reading the window and the likelihood of the target", many[0] / many[1]),
    ]


def _prediction(builds: Sequence[Build], folder: Path) -> list[dict[str, Any]]:
    long, mixed = folder / "long.jsonl", folder / "mixed.jsonl"
    draw = random.Random(1)
    fewest, most, count = MIXED
    _write(long, [LONG_TOKENS])
    _write(mixed, [draw.randint(fewest, most) for _ in range(count)])
    found = []
    for build in builds:
        build.run("model", (*MINILM, *SMALL, "trainer.max_steps=1"))
    for name, source, least in (("one document of 400,000 words", long, 1.5), ("32 of 60 to 4,000 words", mixed, 1.2)):
        seconds = []
        for build in builds:
            output = build.folder / f"{source.stem}.out.jsonl"
            words = ("predict", f"run={build.folder / 'model'}", f"input={source}", f"output={output}", "tracking=none")
            seconds.append(build.run(f"predict-{source.stem}", words))
        found.append(row(f"predict {name}, whole command, before over now", seconds[0] / seconds[1], at_least=least))
    return found


def _start(builds: Sequence[Build]) -> list[dict[str, Any]]:
    words = ("train", "task=ner", "model=tiny_bert", "context=64", "strategy=chunk", "tracking=none", *SMALL)
    seconds: dict[Build, list[float]] = {build: [] for build in builds}
    for number in range(ROUNDS + 1):
        for build in builds:
            seconds[build].append(build.run(f"small-{number}", (*words, "trainer.max_steps=1")))
    before, now = builds
    return [row("smallest train, seconds over before", _ratio(seconds[now], seconds[before]), at_most=0.6)]


def _ratio(now: Sequence[float], before: Sequence[float]) -> float:
    return median(now) / median(before)


def _write(path: Path, lengths: Sequence[int]) -> None:
    """Write documents of so many words."""
    draw = random.Random(0)
    words = ("the", "of", "and", "to", "in", "a", "river", "city", "council", "said", "Berlin", "Anna", "on", "long")
    with path.open("w", encoding="utf-8") as file:
        for number, length in enumerate(lengths):
            tokens = [draw.choice(words) for _ in range(length)]
            file.write(json.dumps({"id": str(number), "tokens": tokens}) + "\n")
