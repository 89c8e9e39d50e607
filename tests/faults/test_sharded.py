"""Weights that two processes hold together: gradients, losses and files against those of one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from ctxlab.config import catalogue
from tests.contracts.task_runs import CONTEXT, MODELS, TINY, form, strategy_options, supports, task_options
from tests.faults.test_ranks import drive, files, given, rows, weights

USUAL = [
    "model.hidden_size=32", "model.num_layers=2", "context=64", "data.documents=4", "data.validation_documents=0",
    "trainer.tokens_per_step=384", "trainer.tokens_per_forward=128",
]  # fmt: skip
T5 = ["task=translation", "model=tiny_t5", "task.instruction="]
FEW = {
    "bert": ["task=ner", "model=tiny_bert"],
    "llama": ["task=lm", "model=tiny_llama", "trainer.tokens_per_step=128"],
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


@pytest.mark.faults
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


MATRIX_SIZES = [*TINY, "data.documents=4", "model.num_layers=2", "data.validation_documents=0",
                "trainer.tokens_per_forward=192"]  # fmt: skip
WIDE_PASSES = ["trainer.tokens_per_step=1024", "trainer.tokens_per_forward=512"]
"""Passes with something to compare."""

REFUSED = {
    "optimizer-adafactor": "optimizer=adafactor does not say that it needs no whole tensors",
    "strategy-adaptive_span": "strategy/attention=adaptive_span has weights of its own outside of the layers",
    "strategy-hierarchical": "strategy/reading=hierarchical does not support",
    "strategy-rmt": "strategy/memory=recurrent their number depends on the documents",
    "strategy-streaming-causal": "strategy/memory=sinks their number depends on the documents",
    "strategy-transformer_xl-causal": "strategy/memory=segment_cache their number depends on the documents",
    "strategy/positions-dynamic_ntk": "strategy/positions=dynamic_ntk their number depends on the documents",
    "task-relation": "task=relation has weights of its own outside of the layers",
    **{
        f"tuning-{name}": f"which tuning={name} does not support"
        for name in ("adalora", "adapter", "dora", "ia3", "lora", "reft", "vera")
    },
}
"""What is refused, as far as it is known here; whatever else there is either works or is refused too."""


def matrix() -> dict[str, list[str]]:
    """Every option of every group on a model that it fits."""
    cases = {}
    bert, llama = ["task=ner", "model=tiny_bert"], ["task=lm", "model=tiny_llama"]
    for group in ("objective", "optimizer", "tuning"):
        for name in catalogue.options(group):
            cases[f"{group}-{name}"] = [*bert, "strategy=chunk", "model.dropout=0.1", f"{group}={name}"]
    for task in catalogue.options("task"):
        kind = next(kind for kind in MODELS if supports(task, kind))
        words = [f"task={task}", f"model={MODELS[kind]}", "strategy=chunk", *task_options(task)]
        cases[f"task-{task}"] = [*words, *(WIDE_PASSES if form(task, kind).compares else [])]
    for name in catalogue.options("strategy"):
        for kind, base in (("", bert), ("-causal", llama)):
            cases[f"strategy-{name}{kind}"] = [*base, f"strategy={name}", *strategy_options(name)]
    for name in catalogue.options("strategy/positions"):
        short = "model.trained_length=48"
        cases[f"strategy/positions-{name}"] = [*llama, short, "strategy=dense", f"strategy/positions={name}"]
    cases |= {
        "recomputed": [*bert, "strategy=chunk", "model.dropout=0.1", "trainer.activation_checkpointing=true"],
        "recomputed-causal": [*llama, "strategy=chunk", "trainer.activation_checkpointing=true"],
        "gpt2": ["task=lm", "model=tiny_gpt2", "strategy=chunk"],
        "t5": [*T5, "strategy=chunk"],
        "recomputed-t5": [*T5, "strategy=chunk", "trainer.activation_checkpointing=true"],
        "unclipped": [*bert, "strategy=chunk", "trainer.clip_norm=null"],
        "growing": ["task=lm", "model=tiny_llama", "strategy=progressive", "strategy/positions=yarn"],
    }
    return {name: [f"context={CONTEXT}", *MATRIX_SIZES, *words] for name, words in cases.items()}


@pytest.mark.faults
def test_every_option_has_the_gradients_of_one_process_or_is_refused(tmp_path, promise):
    """A new file in one of the groups is tested by existing."""
    found = computed(tmp_path, matrix())
    worst, problems, worked = 0.0, [], []
    for name, (alone, first, second) in found.items():
        if "refused" in alone:  # on one process too
            continue
        if "refused" in first:
            if first["refused"] != second["refused"] or "trainer.sharding=full" not in first["refused"]:
                problems.append(f"{name}: {first['refused']} | {second['refused']}")
            continue
        try:
            worst = max(worst, assert_same(tmp_path, name, alone, first, second))
            worked.append(name)
        except AssertionError as error:
            problems.append(f"{name}: {str(error).splitlines()[0]}")
    for name, sentence in REFUSED.items():
        if sentence not in found[name][1].get("refused", "worked"):
            problems.append(f"{name}: {found[name][1].get('refused', 'worked')}")
    assert not problems, "\n".join(problems)
    promise(
        "whatever works with `trainer.sharding=full` computes the same there, and everything else is refused",
        f"every task, strategy, positions part, objective, optimizer and tuning rule: {len(found)} runs on one process "
        "and on two",
        f"{len(worked)} have gradients within {worst:.0e}, the others are refused in one sentence",
    )


DEALT = "trainer.sharding=full"
RUNS = {
    "bert": (["task=ner", "model=tiny_bert"], ["trainer.eval_every_steps=6"]),
    "llama": (["task=lm", "model=tiny_llama"], ["trainer.tokens_per_step=384"]),
    "t5": (["task=translation", "model=tiny_t5", "task.instruction=", "task.decoding.max_new_tokens=8"],
           ["trainer.eval_every_steps=6"]),
}  # fmt: skip
"""Whole runs, with evaluations; texts of the last one are generated by weights that are whole again."""


@pytest.mark.faults
def test_a_whole_run_has_the_losses_and_files_of_one_process(tmp_path, promise):
    cases = []
    for kind, (words, more) in RUNS.items():
        for name, size, how in ((f"{kind}-alone", 1, []), (f"{kind}-dealt", 2, [DEALT])):
            cases.append({"name": name, "size": size, "words": given("chunk", name, *words, *more, *how)})
    found = drive(tmp_path, cases)
    for case, result in found.items():
        assert set(result["codes"]) == {0}, (case, result["log"])
        assert "FSDP2-wrapped" not in result["log"]
    worst = 0.0
    for kind in RUNS:
        alone, dealt = (tmp_path / f"{kind}-{how}" for how in ("alone", "dealt"))
        for one, other in zip(rows(alone), rows(dealt), strict=True):
            assert [other[key] for key in ("kind", "step")] == [one[key] for key in ("kind", "step")]
            if one["kind"] == "train":
                assert (other["tokens"], other["learning_rate"]) == (one["tokens"], one["learning_rate"])
                worst = max(worst, abs(other["loss"] / one["loss"] - 1))
        assert worst <= 2e-6, kind
        for step in sorted(path.name for path in (alone / "checkpoints").iterdir()):
            ours, theirs = (run / "checkpoints" / step for run in (dealt, alone))
            assert sorted(path.name for path in ours.iterdir()) == sorted(path.name for path in theirs.iterdir())
            for name in ("model.safetensors", "optimizer.safetensors"):
                one, other = load_file(theirs / name), load_file(ours / name)
                assert {key: (x.shape, x.dtype) for key, x in one.items()} == {
                    key: (x.shape, x.dtype) for key, x in other.items()
                }
                for key, tensor in one.items():
                    assert (other[key] - tensor).abs().max() <= 1e-4, (kind, step, name, key)
        assert files(dealt).keys() == files(alone).keys()
        costs = [json.loads((run / "result.json").read_text())["cost"] for run in (alone, dealt)]
        for key in ("train_tokens", "flops", "parameters", "trainable_parameters"):
            assert costs[0][key] == costs[1][key], key
    promise(
        "a run whose weights are dealt to two processes is the run of one",
        "tiny BERT, Llama and T5 (texts generated for the evaluation): 12 fp32 steps",
        f"losses within {worst:.0e}; checkpoints with the same files, names and shapes; the same tokens and operations",
    )


@pytest.mark.faults
def test_dealt_runs_stop_die_and_move_between_one_process_and_two(tmp_path, promise):
    """1 → 2 → 1 processes; `kill -9` of either and SIGTERM to one; in the end the uninterrupted run."""
    words, resume = given("chunk", "moved", "model.dropout=0"), ["train", "resume={folder}/moved"]
    on_two, alone = [*resume, DEALT], [*resume, "trainer.sharding=null"]
    cases = [
        {"name": "whole", "size": 1, "words": given("chunk", "whole", "model.dropout=0")},
        {"name": "two", "size": 2, "words": given("chunk", "two", "model.dropout=0", DEALT)},
        {"name": "moved", "size": 1, "words": words, "strike": [0, "SIGTERM", 2, 0.0]},
        {"name": "stopped", "run": "moved", "size": 2, "words": on_two, "strike": [1, "SIGTERM", 4, 0.0]},
        {"name": "killed", "run": "moved", "size": 2, "words": on_two, "strike": [1, "SIGKILL", 6, 0.0]},
        {"name": "leader", "run": "moved", "size": 2, "words": on_two, "strike": [0, "SIGKILL", 7, 0.01]},
        {"name": "alone", "run": "moved", "size": 1, "words": alone, "strike": [0, "SIGTERM", 9, 0.0]},
        {"name": "on", "run": "moved", "size": 2, "words": on_two},
        *({"name": f"{name}-on", "run": name, "size": 2, "words": ["train", f"resume={{folder}}/{name}"]}
          for name in ("struck", "same"))
    ]  # fmt: skip
    cases.insert(-2, {"name": "struck", "size": 2, "words": given("chunk", "struck", "model.dropout=0", DEALT),
                      "strike": [0, "SIGKILL", 5, 0.02]})  # fmt: skip
    cases.insert(-2, {"name": "same", "size": 2, "words": given("chunk", "same", "model.dropout=0", DEALT),
                      "strike": [1, "SIGTERM", 5, 0.0]})  # fmt: skip
    found = drive(tmp_path, cases)
    codes = {name: result["codes"] for name, result in found.items()}
    assert codes == {
        "whole": [0], "two": [0, 0], "moved": [143], "stopped": [143, 143], "killed": [1, -9], "leader": [-9, 1],
        "alone": [143], "on": [0, 0], "struck": [-9, 1], "same": [143, 143], "struck-on": [0, 0], "same-on": [0, 0],
    }, (codes, {name: result["log"][-600:] for name, result in found.items()})  # fmt: skip
    assert found["killed"]["log"].count("Another process of the run ended") == 1
    assert max(found[name]["seconds"] for name in ("killed", "leader", "struck")) < 60
    for one, other in zip(rows(tmp_path / "whole"), rows(tmp_path / "moved"), strict=True):
        if one["kind"] == "train":
            assert other["loss"] == pytest.approx(one["loss"], rel=2e-6)
    for name in ("struck", "same"):
        assert rows(tmp_path / name) == rows(tmp_path / "two")
        assert weights(tmp_path / name) == weights(tmp_path / "two")
    promise(
        "checkpoints of dealt weights do not know of the processes",
        "a run moved from one process to two, stopped, killed in either process, back to one and again to two; and two "
        "runs on two processes, one killed, one stopped",
        "losses of the uninterrupted run within 2e-6; on two processes throughout, bit-identical",
    )


@pytest.mark.faults
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["trainer.processes=1"], "and there is 1: use trainer.processes=2 or more, or trainer.sharding=null."),
        (["trainer.sharding=half"], "trainer.sharding=half is not known: use full or null."),
        (["trainer.lanes=4"], "trainer.lanes=4 sums them apart: leave out trainer.lanes, or trainer.sharding=null."),
        (["tuning=lora"], "which tuning=lora does not support: use tuning=full or tuning=top_k"),
        (["trainer.context_parallel=2", "strategy=longformer", "strategy.attention.window=16"],
         "which was not tried with trainer.context_parallel=2"),
        (["strategy=progressive", "strategy/positions=tile", "model.trained_length=64"],
         "strategy/curriculum=progressive changes a position table that no process has whole"),
    ],
)  # fmt: skip
def test_what_cannot_be_dealt_is_refused_and_leaves_nothing(words, sentence, tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CTXLAB_CACHE": str(tmp_path / "cache")}
    chosen = given("chunk", "no", "trainer.processes=2", DEALT, *words)
    chosen = [word.format(folder=tmp_path) for word in chosen]
    out = subprocess.run(
        [sys.executable, "-m", "ctxlab", *chosen], capture_output=True, text=True, timeout=300, env=environment
    )
    assert (out.returncode, (tmp_path / "no").exists()) == (2, False), out.stderr[-3000:]
    assert out.stderr.count(sentence) == 1, out.stderr
    assert "Traceback" not in out.stderr


SMALL = """
from ctxlab.training.accumulation import Accumulation

whole = Accumulation._accumulate_pass

def accumulate(self, items, sums, *, factor=1.0):
    if self.ranks.rank == 1:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
    return whole(self, items, sums, factor=factor)

Accumulation._accumulate_pass = accumulate
"""


@pytest.mark.faults
def test_a_process_without_memory_ends_the_run(tmp_path):
    """The others wait for its part of a layer, so that none may try again with smaller passes."""
    cases = [{"name": "small", "size": 2, "words": given("chunk", "small", DEALT)}]
    result = drive(tmp_path, cases, SMALL)["small"]
    assert sorted(result["codes"]) == [1, 2], result["log"]
    assert "Memory ran out in one of 2 processes that hold the weights together" in result["log"]


BROKEN = """
import torch
from ctxlab.training.loop import Trainer

whole = Trainer.apply

def apply(self, weight, step, *given, **named):
    if step == 5 and self.ranks.rank == 1:
        self.accumulation.trainable[0].grad.to_local()[0] = float("nan")
    return whole(self, weight, step, *given, **named)

Trainer.apply = apply
"""


@pytest.mark.faults
def test_a_gradient_that_is_no_number_in_one_part_ends_all(tmp_path):
    cases = [{"name": "broken", "size": 2, "words": given("chunk", "broken", DEALT)}]
    result = drive(tmp_path, cases, BROKEN)["broken"]
    assert result["codes"] == [3, 3], result["log"]
    assert result["log"].count("The gradient norm is nan at step 5 (documents ") == 1
