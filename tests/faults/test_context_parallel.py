"""Runs whose windows are split among processes, against the same runs on one process."""

import json
import os
import subprocess
import sys

import pytest
from safetensors.torch import load_file

from tests.faults.test_ranks import drive, given, rows

SPLIT = ["context=512", "strategy=longformer", "strategy.attention.window=32", "model.dropout=0", "data.documents=8",
         "data.words_per_document=300", "trainer.max_steps=24", "trainer.tokens_per_step=1024",
         "trainer.tokens_per_forward=1024"]  # fmt: skip

LM = ["task=lm", "model=tiny_llama", "strategy/positions=yarn"]
KINDS = {
    "ner on 2": (2, 2, []),
    "two groups of 2": (4, 2, []),
    "lm on 2": (2, 2, LM),
    "lm on 4": (4, 4, [*LM, "strategy.attention.num_global=3"]),
    "mlm on 2": (2, 2, ["task=mlm", "strategy.attention.num_global=0"]),
    "learned positions, causal": (2, 2, ["task=lm", "model=tiny_gpt2"]),
    "recomputed": (2, 2, ["trainer.activation_checkpointing=true"]),
    "frozen layers": (2, 2, ["tuning=top_k", "trainer.clip_norm=null"]),
    "bf16": (2, 2, ["trainer.precision=bf16"]),
}
"""Processes, parts of a window, and words."""


@pytest.mark.faults
def test_windows_on_several_processes_train_as_on_one(tmp_path, promise):
    cases = []
    for kind, (size, parts, words) in KINDS.items():
        name = kind.replace(" ", "-").replace(",", "")
        cases += [
            {"name": f"{name}-alone", "size": 1, "words": given("chunk", f"{name}-alone", *SPLIT, *words)},
            {
                "name": f"{name}-split",
                "size": size,
                "words": given("chunk", f"{name}-split", *SPLIT, *words, f"trainer.context_parallel={parts}"),
            },
        ]
    found = drive(tmp_path, cases)
    for case, result in found.items():
        assert set(result["codes"]) == {0}, (case, result["log"])
    worst = 0.0
    for kind in KINDS:
        alone, split = (tmp_path / f"{kind.replace(' ', '-').replace(',', '')}-{how}" for how in ("alone", "split"))
        pairs = list(zip(rows(alone), rows(split), strict=True))
        assert [one["tokens"] for one, _ in pairs if "tokens" in one] == [
            other["tokens"] for _, other in pairs if "tokens" in other
        ]
        losses = [(one["loss"], other["loss"]) for one, other in pairs if one["kind"] == "train"]
        assert len(losses) == 24
        change = max(abs(other / one - 1) for one, other in losses)
        assert change <= (1e-2 if kind == "bf16" else 1e-6), kind
        worst = worst if kind == "bf16" else max(worst, change)
        ours, theirs = (load_file(run / "checkpoints/step-00000024/model.safetensors") for run in (split, alone))
        assert {name: one.shape for name, one in ours.items()} == {name: one.shape for name, one in theirs.items()}
    promise(
        "a window that several processes hold together trains as on one",
        f"{len(KINDS) - 1} runs (ner, lm, mlm; bidirectional and causal; 2 and 4 processes; two groups; recomputed "
        "layers) of 24 fp32 steps, each also on one process",
        f"losses within {worst:.0e} (relative)",
    )


@pytest.mark.faults
def test_a_split_run_moves_to_one_process_and_back_and_a_killed_part_ends_the_others(tmp_path):
    words = given("chunk", "moved", *SPLIT, "trainer.context_parallel=2")
    resume = ["train", "resume={folder}/moved"]
    cases = [
        {"name": "whole", "size": 1, "words": given("chunk", "whole", *SPLIT)},
        {"name": "moved", "size": 2, "words": words, "strike": [1, "SIGKILL", 6, 0.02]},
        {"name": "alone", "run": "moved", "size": 1, "words": [*resume, "trainer.context_parallel=1"],
         "strike": [0, "SIGTERM", 12, 0.0]},
        {"name": "back", "run": "moved", "size": 2, "words": [*resume, "trainer.context_parallel=2"]},
    ]  # fmt: skip
    found = drive(tmp_path, cases)
    assert [result["codes"] for result in found.values()] == [[0], [1, -9], [143], [0, 0]], found
    for one, other in zip(rows(tmp_path / "whole"), rows(tmp_path / "moved"), strict=True):
        if one["kind"] == "train":
            assert other["loss"] == pytest.approx(one["loss"], rel=1e-6)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["strategy=bigbird"], "strategy/attention=bigbird attend further than to the next part"),
        (["task=classification"], "the loss of task=classification is not a sum over tokens"),
        (["strategy.attention.window=300"], "reaches 300 to each side: use context=600 or more"),
        (["model.attention_dropout=0.1"], "dropout of attention weights"),
    ],
)
def test_what_cannot_be_split_is_refused_and_leaves_nothing(words, sentence, tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CTXLAB_CACHE": str(tmp_path / "cache")}
    chosen = given("chunk", "no", *SPLIT, *words, "trainer.processes=2", "trainer.context_parallel=2")
    chosen = [word.format(folder=tmp_path) for word in chosen]
    out = subprocess.run(
        [sys.executable, "-m", "ctxlab", *chosen], capture_output=True, text=True, timeout=300, env=environment
    )
    assert (out.returncode, (tmp_path / "no").exists()) == (2, False), out.stderr[-3000:]
    assert out.stderr.count(sentence) == 1
    assert "Traceback" not in out.stderr


def drive_changed(folder, change, cases):
    """As ``drive``, in a program that was changed by the code ``change``."""
    (folder / "change.py").write_text(change)
    driver = (
        "import sys; sys.path.insert(0, sys.argv[3]); import change; sys.argv = ['driver', *sys.argv[1:3]]; "
        "import runpy; runpy.run_module('tests.faults.ranks_driver', run_name='__main__')"
    )
    (folder / "cases.json").write_text(json.dumps(cases))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CTXLAB_CACHE": str(folder / "cache")}
    command = [sys.executable, "-c", driver, str(folder), str(folder / "cases.json"), str(folder)]
    out = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert out.returncode == 0, out.stderr[-3000:]
    return json.loads(out.stdout.strip().splitlines()[-1])


@pytest.mark.faults
def test_a_process_without_memory_for_its_part_ends_the_run(tmp_path):
    """The others wait for it in the middle of a pass, so that none may try again with smaller ones."""
    cases = [{"name": "small", "size": 2, "words": given("chunk", "small", *SPLIT, "trainer.context_parallel=2")}]
    result = drive_changed(tmp_path, SMALL, cases)["small"]
    assert sorted(result["codes"]) == [1, 2], result["log"]
    assert "Memory ran out in one of 2 processes that share each window" in result["log"]


VERIFY = ["verify", "task=ner", "model=tiny_bert", "strategy=longformer", "strategy.attention.window=32", "context=256",
          "tracking=none", "data.documents=4", "trainer.device=cpu"]  # fmt: skip


def verified(name, *words, size=2):
    chosen = {word.split("=")[0]: word for word in [*VERIFY, *words, f"hydra.run.dir={{folder}}/{name}"]}
    return {"name": name, "size": size, "words": [*chosen.values(), f"trainer.context_parallel={size}"]}


@pytest.mark.faults
def test_verify_holds_for_windows_on_several_processes_and_sees_a_fault(tmp_path, promise):
    cases = [verified("two"), verified("four", size=4), verified("causal", "task=lm", "model=tiny_llama")]
    for name, result in drive(tmp_path, cases).items():
        assert set(result["codes"]) == {0}, (name, result["log"])
        report = json.loads((tmp_path / name / "result.json").read_text())
        assert report["passed"]
        assert any("held by" in note for note in report["notes"])
    (tmp_path / "broken").mkdir()
    result = drive_changed(tmp_path / "broken", BROKEN, [verified("seen")])["seen"]
    assert set(result["codes"]) == {1}, result["log"]
    failed = json.loads((tmp_path / "broken" / "seen" / "result.json").read_text())["failed"]
    assert {"dense attention", "every layer", "every head"} <= set(failed)
    promise(
        "`ctxlab verify` checks windows that several processes hold together",
        "2 and 4 processes, bidirectional and causal; and with the halo taken from the wrong side",
        f"all checks hold; with the fault {len(failed)} fail, in every process",
    )


BROKEN = """
from ctxlab.runtime.context_parallel import ProcessPart

whole = ProcessPart.exchange

def exchange(self, **tensors):
    before, after = whole(self, **tensors)
    return before.flip(1), after

ProcessPart.exchange = exchange
"""


SMALL = """
from ctxlab.core import world
from ctxlab.strategies.attention.kernels import split

whole = split._Blocks.pieces
calls = [0]

def pieces(self, **options):
    calls[0] += 1
    if world.size() > 1 and world.rank() == 1 and calls[0] > 20:
        raise MemoryError("no room")
    return whole(self, **options)

split._Blocks.pieces = pieces
"""
