"""Trains one run for long and watches its process; run by test_soak.py, which checks what it prints."""

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from tests.training.runs import make_job

PAGE = os.sysconf("SC_PAGE_SIZE")


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def handles() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - iterdir keeps one of its own open


def soak(folder: Path, steps: int, options: list[str]) -> dict[str, Any]:
    """Train, and return memory, file handles and threads after every tenth of the steps, and at the end."""
    job = make_job(folder, f"trainer.max_steps={steps}", *options)
    seen, step = [], job.watching.step
    lengths: set[int] = set()

    def watch(progress: float, state: Any) -> None:
        step(progress, state)
        for kept in (job.watching.progress, job.watching.lengths, job.watching.epochs, job.watching.rates):
            kept.clear()  # the watcher of the tests keeps everything
        lengths.update(map(len, job.trainer.accumulation._running))
        if state.step % 50 == 0:
            seen.append([state.step, resident_bytes(), handles(), threading.active_count()])

    job.watching.step = watch  # type: ignore[method-assign]
    job.watching.row = lambda row: None  # type: ignore[method-assign]
    before = handles(), threading.active_count()
    job.run()
    return {"before": before, "after": (handles(), threading.active_count()), "seen": seen, "lengths": sorted(lengths)}


if __name__ == "__main__":
    print(json.dumps(soak(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])))
