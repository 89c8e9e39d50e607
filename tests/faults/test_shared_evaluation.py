"""Several processes evaluate and predict as one: the same files to the byte, and what stops one stops all."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.contracts.task_runs import MODELS, command, records, without_gold, write
from tests.faults.test_ranks import drive, files, rows, weights
from tests.faults.test_same_seed import HEADS

PARTS = ("data.documents=8", "data.test_documents=5", "trainer.tokens_per_forward=96")
"""More documents than processes, in several passes; predictions are made for two documents, fewer than processes."""

VARIANTS = {
    "memory": ("ner", "encoder", ("strategy=rmt",)),
    "segment-cache": ("lm", "decoder", ("strategy=transformer_xl",)),
    "sampled": ("summarization", "decoder", ("task.decoding.sample=true", "task.decoding.temperature=1.5")),
    "beams": ("translation", "encoder_decoder", ("task.decoding.num_beams=2",)),
    "without-cache": (
        "qa",
        "decoder",
        ("strategy=bigbird", "strategy.attention.block=16", "strategy.attention.window=24"),
    ),
    "compared-answers": ("classification", "decoder", ("task.shots=0",)),
    "hierarchical": ("classification", "encoder", ("strategy=hierarchical", "strategy.reading.window=40")),
}
"""Further ways through the reader: task, kind of model, options."""


PREDICTED = ("ner-encoder", "qa-encoder", "summarization-decoder", "dialogue-encoder", "lm-decoder")
"""Runs whose model predicts too."""


def cases_of(name: str, train: list[str], task: str, folder: Path, *, trains: bool = True) -> Iterator[dict]:
    """Train on one process, if at all; evaluate on one and two, predict on one and three."""
    if trains:
        yield {"name": name, "size": 1, "words": [*train, f"hydra.run.dir={{folder}}/{name}"]}
    for size in (1, 2):
        run = f"{name}-eval-{size}"
        scored = [f"run={{folder}}/{name}"] if trains else train[1:]
        words = ["eval", *scored, "split=test", f"hydra.run.dir={{folder}}/{run}"]
        yield {"name": run, "size": size, "words": words}
    if name in PREDICTED:
        write(folder / f"{name}.jsonl", [without_gold(one) for one in records(task)])
        for size in (1, 3):
            run = f"{name}-predict-{size}"
            words = ["predict", f"run={{folder}}/{name}", f"input={{folder}}/{name}.jsonl"]
            words += [f"output={{folder}}/{run}.jsonl", f"hydra.run.dir={{folder}}/{run}"]
            yield {"name": run, "size": size, "words": words}


def compare(runs: dict[str, tuple[str, list[str]]], folder: Path) -> None:
    """Assert that every run, named with its task and its command, gives the same files on several processes."""
    cases = [case for name, (task, train) in runs.items() for case in cases_of(name, train, task, folder)]
    compare_cases(cases, list(runs), folder)


def compare_cases(cases: list[dict], names: list[str], folder: Path) -> None:
    found = drive(folder, cases)
    for case, result in found.items():
        assert set(result["codes"]) == {0}, (case, result["log"])
    for name in names:
        assert files(folder / f"{name}-eval-1") == files(folder / f"{name}-eval-2"), name
        logs = [found[f"{name}-eval-{size}"]["log"] for size in (1, 2)]
        assert [log.count("report, with breakdowns") for log in logs] == [1, 1], name  # one screen
        read = [re.findall(r"evaluate test 100% · ([\d,]+) tokens", log)[-1:] for log in logs]
        assert read[0] == read[1] != [], name  # on which all documents count
        if (folder / f"{name}-predict-1").exists():
            one, three = (folder / f"{name}-predict-{size}.jsonl" for size in (1, 3))
            assert one.read_bytes() == three.read_bytes(), name


@pytest.mark.faults
def test_generated_texts_are_the_same_on_any_number_of_processes(tmp_path):
    """The passes that generate and those that score the gold target, of windows of unequal lengths."""
    words = [*command("summarization", MODELS["decoder"], "chunk"), *PARTS]
    cases = [*cases_of("texts", words, "summarization", tmp_path, trains=False)]
    compare_cases(cases, ["texts"], tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize("half", [0, 1])
def test_every_head_gives_the_same_files_on_any_number_of_processes(half, tmp_path, promise):
    heads = {f"{task}-{kind}": (task, command(task, MODELS[kind], "chunk")) for task, kind in HEADS}
    variants = {
        name: (task, [*command(task, MODELS[kind], "chunk"), *options])
        for name, (task, kind, options) in VARIANTS.items()
    }
    runs = {name: (task, [*words, *PARTS]) for name, (task, words) in (heads | variants).items()}
    compare(dict(list(runs.items())[half::2]), tmp_path)
    if half:
        promise(
            "several processes evaluate and predict as one",
            f"{len(runs)} runs (every head of every task, memories, sampling, beams): `eval` on one process and two; "
            f"for {len(PREDICTED)} of them `predict` of two documents on one process and three",
            "predictions, scores, metrics and counts the same to the byte",
        )


LONG = [
    "train", "task=ner", "model=tiny_bert", "context=128", "strategy=chunk", "tracking=none", "data.documents=4",
    "data.validation_documents=60", "data.test_documents=60", "data.words_per_document=1500",
    "data.evidence_distance=[16]", "trainer.tokens_per_step=512", "trainer.tokens_per_forward=256",
    "trainer.max_steps=4", "trainer.eval_every_steps=2", "trainer.save_every_steps=2", "trainer.log_every_steps=1",
    "trainer.device=cpu", "trainer.precision=fp32",
]  # fmt: skip
"""A run that evaluates for seconds."""


@pytest.mark.faults
def test_what_stops_one_process_in_an_evaluation_stops_all(tmp_path, promise):
    """A signal to one, and one that is killed: within seconds, with the usual status, and the run continues."""
    random = Random(11)
    places = {"validation": (2, 0.8), "closing": ("evaluate test", 0.8)}
    strikes = {
        f"{number}-{rank}-{place}": [rank, number, after, random.uniform(0.05, longest)]
        for number, ranks in (("SIGTERM", (0, 1)), ("SIGUSR1", (1,)), ("SIGKILL", (0, 1)))
        for rank in ranks
        for place, (after, longest) in places.items()
    }
    cases = [{"name": "whole", "size": 2, "words": [*LONG, "hydra.run.dir={folder}/whole"]}]
    for name, strike in strikes.items():
        cases.append({"name": name, "size": 2, "words": [*LONG, f"hydra.run.dir={{folder}}/{name}"], "strike": strike})
        words = ["train", f"resume={{folder}}/{name}"]
        cases.append({"name": f"{name}-resumed", "run": name, "size": 2, "words": words})
        words = ["eval", "run={folder}/whole", "split=test", f"hydra.run.dir={{folder}}/eval-{name}"]
        strike = [*strike[:2], "evaluate test", strike[3]]
        cases.append({"name": f"eval-{name}", "size": 2, "words": words, "strike": strike})
    found = drive(tmp_path, cases)
    expected = weights(tmp_path / "whole", 4), rows(tmp_path / "whole"), files(tmp_path / "whole")
    slowest = 0.0
    for name, (rank, number, *_) in strikes.items():
        for stopped in (found[name], found[f"eval-{name}"]):
            if number == "SIGKILL":
                assert stopped["codes"][rank] == -9, stopped["log"]
                assert stopped["codes"][1 - rank] == 1, stopped["log"]
                assert stopped["log"].count("Another process of the run ended") == rank  # the first one says it
            else:
                status = 143 if number == "SIGTERM" else 75
                assert stopped["codes"] == [status, status], (name, stopped["log"])
            assert stopped["seconds"] < 5, name
            slowest = max(slowest, stopped["seconds"])
        if number != "SIGKILL":
            assert found[name]["log"].count("continue with `ctxlab train resume=") == 1, found[name]["log"]
            assert found[f"eval-{name}"]["log"].count("give the command again") == 1, found[f"eval-{name}"]["log"]
            assert not (tmp_path / f"eval-{name}").exists()
        assert found[f"{name}-resumed"]["codes"] == [0, 0], found[f"{name}-resumed"]["log"]
        resumed = tmp_path / name
        assert (weights(resumed, 4), rows(resumed)) == expected[:2], name
        assert files(resumed)["predictions/test.jsonl"] == expected[2]["predictions/test.jsonl"], name
    promise(
        "what stops one of several processes in an evaluation stops all",
        f"SIGTERM, SIGUSR1 and `kill -9` to either of two processes in validation, in the closing evaluation and in "
        f"`eval`, {2 * len(strikes)} times",
        f"status 143, 75 and 1, after {slowest:.1f} s at most; every run continues and ends bit-identical",
    )


BROKEN = """
import errno, os
from ctxlab.runtime import ranks
from ctxlab.runtime.forward import Passes
from ctxlab.stages import eval

run, write = Passes.run, eval.write_outputs
rank = lambda: ranks.current().rank


def broken_run(self, items):
    mode = os.environ.get("BROKEN_MODE")
    if mode == "memory" and rank() == 1:
        raise MemoryError
    if mode == "bug" and rank() == 1:
        raise LookupError("a bug")
    yield from run(self, items)


def broken_write(*given):
    if os.environ.get("BROKEN_MODE") == "disk":
        raise OSError(errno.ENOSPC, "No space left on device", "result.json")
    write(*given)


Passes.run, eval.write_outputs = broken_run, broken_write
"""


@pytest.mark.faults
def test_an_error_of_one_process_is_told_once(tmp_path):
    """Memory that does not suffice, a bug, and a disk that is full for the first process, which alone writes."""
    words = ["eval", "task=lm", "model=tiny_llama", "strategy=chunk", "context=64", "tracking=none", "split=test"]
    words += ["data.test_documents=4", "data.words_per_document=100", "trainer.tokens_per_forward=128"]
    cases = [
        {
            "name": mode,
            "size": 2,
            "words": [*words, f"hydra.run.dir={{folder}}/{mode}"],
            "environment": {str(rank): {"BROKEN_MODE": mode} for rank in range(2)},
        }
        for mode in ("memory", "bug", "disk")
    ]
    found = drive(tmp_path, cases, BROKEN)
    assert found["memory"]["codes"] == [2, 2], found["memory"]["log"]
    assert found["memory"]["log"].count("A document does not fit the memory") == 1
    assert found["bug"]["codes"] == [1, 1], found["bug"]["log"]
    assert found["bug"]["log"].count("Process 1: Unexpected LookupError: a bug") == 1
    assert found["bug"]["log"].count("Another process of the run ended") == 1
    assert found["disk"]["codes"] == [2, 1], found["disk"]["log"]
    assert found["disk"]["log"].count("No space left on device (result.json)") == 1
    assert all("Traceback" not in one["log"] and one["seconds"] < 20 for one in found.values())
    assert not (tmp_path / "memory").exists()


@pytest.mark.faults
def test_eval_and_predict_start_their_processes_themselves(tmp_path):
    """Alone and in a multirun; the command that is recorded is the one that was typed."""
    scored = ["eval", "task=lm", "model=tiny_llama", "strategy=chunk", "context=64", "tracking=none", "split=test"]
    scored += ["data.test_documents=4", "data.words_per_document=100", "trainer.tokens_per_forward=128"]
    drive(tmp_path, [{"name": "one", "size": 1, "words": [*scored, "hydra.run.dir={folder}/one"]}])
    words = [*scored, "trainer.processes=2", f"hydra.run.dir={tmp_path}/two"]
    start(words, tmp_path)
    assert files(tmp_path / "two") == files(tmp_path / "one")
    assert json.loads((tmp_path / "two" / "result.json").read_text())["command"] == ["ctxlab", *words]
    start([*scored, "-m", "context=32,64", "trainer.processes=2", f"hydra.sweep.dir={tmp_path}/sweep"], tmp_path)
    assert files(tmp_path / "sweep" / "1") == files(tmp_path / "one")


def start(words: list[str], folder: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CTXLAB_CACHE": str(folder / "cache")}
    command = [sys.executable, "-m", "ctxlab", *words]
    out = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, cwd=folder)
    assert out.returncode == 0, out.stderr[-3000:]
