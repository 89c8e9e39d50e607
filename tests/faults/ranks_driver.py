"""Runs training on one and on several processes, as torchrun would start them; run by test_ranks.py.

Heavy libraries are imported once and every process is a fork. No tensor is touched before the forks: each child starts
its own threads.
"""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import accelerate  # noqa: F401
import datasets  # noqa: F401
import evaluate  # noqa: F401
import matplotlib.pyplot  # noqa: F401
import seqeval.metrics  # noqa: F401
import transformers.models.bert.modeling_bert
import transformers.models.llama.modeling_llama  # noqa: F401

from ctxlab.cli import main


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start(words: list[str], log: Path, environment: dict[str, str]) -> int:
    pid = os.fork()
    if pid:
        return pid
    os.environ.update(environment)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)
    code = 1
    try:
        code = main(words)
    finally:
        sys.stdout.flush()
        os._exit(code)


def run(case: dict, folder: Path) -> dict:
    """Run a case to its end; with ``strike`` one process gets a signal, so many seconds after a step was logged.

    Instead of a step it may name a text that the processes print.
    """
    run_dir, log = folder / case.get("run", case["name"]), folder / f"{case['name']}.log"
    size, address = case["size"], {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    pids = []
    for rank in range(size):
        words = case["words"][rank] if isinstance(case["words"][0], list) else case["words"]
        ranked = {"RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank), **address} if size > 1 else {}
        environment = {**ranked, **case.get("environment", {}).get(str(rank), {})}
        pids.append(start([word.format(folder=folder) for word in words], log, environment))
    if "strike" in case:
        rank, number, step, seconds = case["strike"]
        wait_for(run_dir, step) if isinstance(step, int) else wait_for_text(log, step)
        time.sleep(seconds)
        os.kill(pids[rank], getattr(signal, number))
    began = time.monotonic()
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    return {"codes": codes, "log": log.read_text(), "seconds": time.monotonic() - began}


def wait_for(run_dir: Path, step: int) -> None:
    """Wait until the run has logged ``step``."""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        try:
            rows = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
        except (OSError, ValueError):
            rows = []
        if any(row["step"] >= step for row in rows):
            return
        time.sleep(0.002)


def wait_for_text(log: Path, text: str) -> None:
    """Wait until the processes have printed ``text``."""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up and text not in log.read_text():
        time.sleep(0.002)


if __name__ == "__main__":
    base, cases = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    print(json.dumps({case["name"]: run(case, base) for case in cases}))
