"""How much is forgotten, on a corpus that a tiny model learns in half a minute: replay against naive training."""

import json
import random

import pytest

from ctxlab.cli import main
from tests.stages.conftest import result

pytestmark = pytest.mark.slow

KINDS = ("PER", "ORG")
PLAIN = [f"w{index}" for index in range(30)]
NAMES = {kind: [f"{letter}{index}" for index in range(15)] for kind, letter in zip(KINDS, "pq", strict=True)}


def corpus(path, kind, count, seed):
    """Documents of plain words and of names of one kind, which are two words each."""
    draw = random.Random(seed)
    lines = []
    for _ in range(count):
        tokens, tags = [], []
        while len(tokens) < 60:
            if draw.random() < 0.2:
                tokens += draw.sample(NAMES[kind], 2)
                tags += [f"B-{kind}", f"I-{kind}"]
            tokens.append(draw.choice(PLAIN))
            tags.append("O")
        lines.append(json.dumps({"tokens": tokens, "tags": tags}))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_replay_at_least_halves_what_naive_training_forgets(tmp_path):
    stages = []
    for number, kind in enumerate(KINDS):
        files = {
            f"{split}_file": corpus(tmp_path / f"{kind}-{split}.jsonl", kind, count, 10 * number + place)
            for place, (split, count) in enumerate((("train", 40), ("validation", 4), ("test", 8)))
        }
        stages.append("{" + ",".join(f"{key}: {path}" for key, path in files.items()) + "}")
    words = (
        "task=ner", "model=tiny_bert", "tracking=none", "context=256", "strategy=chunk", "optimizer.lr=2e-3",
        "trainer.max_steps=80", "trainer.tokens_per_step=1024", "trainer.precision=fp32",
        f"data.stages=[{','.join(stages)}]",
    )  # fmt: skip
    found = {}
    for name in ("naive", "replay"):
        assert main(["train", *words, f"continual={name}", f"hydra.run.dir={tmp_path / name}"]) == 0
        found[name] = result(tmp_path / name)["metrics"]["test"]
    assert found["naive"]["backward_transfer"] < -0.3  # there is something to forget
    assert found["replay"]["backward_transfer"] >= found["naive"]["backward_transfer"] / 2
