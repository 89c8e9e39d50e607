"""Weights that two processes hold together: gradients, losses and files against those of one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from ctxlab.config import catalogue
from tests.contracts.task_runs import MODELS, TINY, strategy_options, supports, task_options
from tests.faults.test_ranks import drive, files, given, rows

USUAL = [
    "model.hidden_size=64",
    "model.num_layers=2",
    "context=64",
    "data.validation_documents=0",
    "trainer.tokens_per_step=512",
    "trainer.tokens_per_forward=128",
]
T5 = ["task=translation", "model=tiny_t5", "task.instruction="]
FEW = {
    "bert": ["task=ner", "model=tiny_bert"],
    "llama": ["task=lm", "model=tiny_llama", "trainer.tokens_per_step=192"],
    "t5": T5,
}
"""An encoder, a decoder in whose steps one process has fewer passes, and an encoder-decoder with tied weights."""

SAME = 1e-6
"""Largest difference of a gradient, relative to the largest gradient of the weight, or of all weights over 1,000."""


def computed(folder: Path, cases: dict[str, list[str]]) -> dict[str, tuple[dict, dict, dict]]:
    """What one process and both of two computed in each case."""
    (folder / "cases.json").write_text(json.dumps(cases))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CTXLAB_CACHE": str(folder / "cache")}
    command = [sys.executable, "-m", "tests.faults.sharded_driver", str(folder), str(folder / "cases.json")]
    out = subprocess.run(
        command, capture_output=True, text=True, timeout=1500, env=environment, cwd=Path(__file__).parents[2]
    )
    assert out.returncode == 0, out.stderr[-4000:]
    found = [json.loads((folder / f"{name}.json").read_text()) for name in ("1-0", "2-0", "2-1")]
    return {name: tuple(one[name] for one in found) for name in cases}


def apart(folder: Path, name: str = "gradients") -> float:
    """Largest relative difference between the tensors of one process and of two."""
    alone, two = (load_file(folder / size / f"{name}.safetensors") for size in ("1-0", "2-0"))
    assert alone.keys() == two.keys()
    largest = max(float(tensor.abs().max()) for tensor in alone.values())
    scales = {key: max(float(tensor.abs().max()), largest / 1000) for key, tensor in alone.items()}
    return max(float((two[key] - tensor).abs().max()) / scales[key] for key, tensor in alone.items())


def assert_same(folder: Path, name: str, alone: dict, first: dict, second: dict) -> float:
    """One case was computed alike; returns how far gradients are apart."""
    assert first["losses"] == second["losses"], name
    assert first["losses"] == pytest.approx(alone["losses"], rel=2e-6), name
    assert first["norms"] == pytest.approx(alone["norms"], rel=1e-5), name  # fp32 sums of squares in another order
    difference = apart(folder / name)
    assert difference <= SAME, (name, difference)
    return difference


def test_two_processes_have_the_gradients_of_one_and_half_of_the_weights(tmp_path, promise):
    cases = {name: [*words, *USUAL] for name, words in FEW.items()}
    worst, shares = 0.0, []
    for name, (alone, first, second) in computed(tmp_path, cases).items():
        worst = max(worst, assert_same(tmp_path, name, alone, first, second))
        assert first["held"] + second["held"] == alone["held"] == first["all"]
        shares.append(first["held"] / alone["held"])
    assert max(shares) < 0.52
    promise(
        "two processes that hold the weights together compute the gradients of one",
        "tiny BERT, Llama and T5, a step of several passes in fp32, also with fewer passes in one process",
        f"gradients within {worst:.0e}; a process holds {min(shares):.1%} to {max(shares):.1%} of weights and "
        "optimizer states",
    )
