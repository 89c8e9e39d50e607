"""Starts many commands at the same moment; run by test_simultaneous.py, which checks what it prints."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import transformers

from ctxlab.core import cache
from tests.faults.kill_driver import OPTIONS, finish, start

SHORT = [
    "trainer.max_steps=2", "trainer.save_every_steps=2", "trainer.eval_every_steps=2", "trainer.log_every_steps=1",
]  # fmt: skip


SLOW_SECONDS = 0.5
"""How long the writing of an entry of the token cache takes, so that the others come in the middle of it."""


def write_slowly() -> None:
    write_whole = cache.write_whole

    def slow(folder: Path, fill: Callable[[Path], None]) -> None:
        def filled(temporary: Path) -> None:
            fill(temporary)
            time.sleep(SLOW_SECONDS)

        write_whole(folder, filled)

    cache.write_whole = slow


def at(moment: float) -> Callable[[], None]:
    """Return a function that waits for a moment, so that all forks go on together."""

    def wait() -> None:
        write_slowly()
        while time.time() < moment:
            pass

    return wait


def start_all(root: Path, count: int, options: list[str], name: str) -> list[dict[str, Any]]:
    """Start the same command ``count`` times, from one folder, with one token cache; returns how each ended."""
    os.chdir(root)
    moment = time.time() + 0.02 * count + 0.5
    files = [(root / f"{name}-{index}.out", root / f"{name}-{index}.err") for index in range(count)]
    pids = [start(["train", *OPTIONS, *SHORT, *options], out, err, at(moment)) for out, err in files]
    codes = [finish(pid) for pid in pids]
    return [{"code": code, "said": err.read_text()} for code, (_, err) in zip(codes, files, strict=True)]


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    root, count = Path(sys.argv[1]), int(sys.argv[2])
    print(json.dumps({"own": start_all(root, count, [], "own"),
                      "fixed": start_all(root, count, [f"hydra.run.dir={root / 'fixed'}"], "fixed")}))  # fmt: skip
