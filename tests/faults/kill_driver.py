"""Trains, kills or stops, and resumes real processes; run by test_kill.py, which checks its output. Heavy libraries are
imported once and every run is a fork, so that forty runs take a minute rather than ten. No tensor is touched before the
forks: each child starts its own threads.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import accelerate  # noqa: F401
import datasets  # noqa: F401
import evaluate  # noqa: F401
import matplotlib.pyplot  # noqa: F401
import seqeval.metrics  # noqa: F401
import transformers
import transformers.models.bert.modeling_bert

from ctxlab.cli import main

OPTIONS = [
    "task=ner", "model=tiny_bert", "model.dropout=0.1", "context=256", "strategy=longformer", "tracking=none",
    "data.documents=6", "data.validation_documents=2", "data.test_documents=1", "data.words_per_document=120",
    "trainer.tokens_per_step=1024", "trainer.tokens_per_forward=512", "trainer.max_steps=16",
    "trainer.save_every_steps=2", "trainer.eval_every_steps=5", "trainer.log_every_steps=3", "trainer.precision=fp32",
]  # fmt: skip


SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


def start(argv: list[str], log: Path, errors: Path | None = None, prepare: Callable[[], None] = lambda: None) -> int:
    """Run a command in a fork, after ``prepare``; returns its id. Errors go into the log, or a file of theirs."""
    pid = os.fork()
    if pid:
        return pid
    with log.open("ab") as out, (errors or log).open("ab") as err:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
    for number in SIGNALS:  # a shell that starts tests in the background has SIGINT ignored
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 1
    try:
        prepare()
        code = main(argv)
    except KeyboardInterrupt:  # before the program handles signals, or after it
        code = 130
    finally:
        sys.stdout.flush()
        os._exit(code)


def finish(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def ended(pid: int) -> bool:
    return os.waitpid(pid, os.WNOHANG)[0] == pid


def kill_at(pid: int, run: Path, seconds: float, *, in_save: bool) -> tuple[bool, bool]:
    """Kill after ``seconds`` of training, or during the first save after that; returns (killed, during a save)."""
    while not (run / "metrics.jsonl").exists():
        if ended(pid):
            return False, False
        time.sleep(0.001)
    until = time.monotonic() + seconds
    give_up = until + 5
    while time.monotonic() < until or (in_save and not saving(run) and time.monotonic() < give_up):
        if ended(pid):
            return False, False
        time.sleep(0.0005)
    os.kill(pid, signal.SIGKILL)
    finish(pid)
    return True, saving(run)


def saving(run: Path) -> bool:
    return any((run / "checkpoints").glob(".saving-*"))


def stop_at(pid: int, seconds: float, number: int) -> tuple[int | None, float]:
    """Send a signal ``seconds`` after the start; returns the exit status and the seconds that the process still ran.

    The status is None where the process had ended before.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if ended(pid):
            return None, 0.0
        time.sleep(0.001)
    os.kill(pid, number)
    sent = time.monotonic()
    return finish(pid), time.monotonic() - sent


def stop_all(root: Path, points: int, options: list[str]) -> dict:
    """Stop runs at random moments, from the first line to the last, and resume them."""
    random.seed(7)
    log, whole = root / "log.txt", root / "whole"
    started = time.monotonic()
    codes = [finish(start(["train", *options, f"hydra.run.dir={whole}"], log))]
    seconds = time.monotonic() - started
    facts = {"whole": str(whole), "stopped": [], "late": 0.0, "runs": []}
    for index in range(points):
        run, number = root / f"stopped-{index}", SIGNALS[index % len(SIGNALS)]
        status, late = stop_at(start(["train", *options, f"hydra.run.dir={run}"], log), random.uniform(0.1, seconds),
                               number)  # fmt: skip
        if status is not None:
            facts["stopped"].append([number, status])
            facts["late"] = max(facts["late"], late)
            again = [f"resume={run}"] if run.exists() else [*options, f"hydra.run.dir={run}"]
            codes.append(finish(start(["train", *again], log)))
        facts["runs"].append(str(run))
    return {**facts, "codes": codes}


def run_all(root: Path, points: int, options: list[str]) -> dict:
    random.seed(7)
    log = root / "log.txt"
    whole = root / "whole"
    started = time.monotonic()
    codes = [finish(start(["train", *options, f"hydra.run.dir={whole}"], log))]
    training_seconds = sum(json.loads((whole / "result.json").read_text())["cost"][k] for k in ("train_seconds",))
    facts = {"whole": str(whole), "seconds": time.monotonic() - started, "killed": 0, "inside": 0, "runs": []}
    for index in range(points):
        run = root / f"killed-{index}"
        killed, inside = False, False
        pid = start(["train", *options, f"hydra.run.dir={run}"], log)
        killed, inside = kill_at(pid, run, random.uniform(0, 1.5 * training_seconds), in_save=index % 2 == 0)
        if index % 5 == 0:  # a moved directory goes on too
            run = run.rename(root / f"moved-{index}")
        facts["killed"] += killed
        facts["inside"] += inside
        codes.append(finish(start(["train", f"resume={run}"], log)))
        facts["runs"].append(str(run))
    return {**facts, "codes": codes}


def merged(more: list[str]) -> list[str]:
    """``OPTIONS``, with those of ``more`` where they set the same key; a part stands behind its preset."""
    chosen = {word.split("=")[0]: word for word in (*OPTIONS, *more)}
    return sorted(chosen.values(), key=lambda word: "/" in word.split("=")[0])


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    how, folder, count, *rest = sys.argv[1:]
    work = {"kill": run_all, "stop": stop_all}[how]
    print(json.dumps(work(Path(folder), int(count), merged(rest))))
