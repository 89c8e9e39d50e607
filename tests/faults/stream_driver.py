"""``ctxlab`` whose first step is timed: ``python -m tests.faults.stream_driver <file> <words of ctxlab>``.

The file receives the seconds from the start of the program to the first step, those of the processor among them, and
the peak of its memory until the end of training.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

STARTED, FACTS = time.monotonic(), Path(sys.argv[1])  # the command line of a job is its own

from ctxlab.cli import main  # noqa: E402 - the imports are part of the start
from ctxlab.training.loop import Trainer  # noqa: E402

step, run = Trainer._step, Trainer.run
seen: list[tuple[float, float]] = []


def first(trainer: Any, *arguments: Any) -> None:
    seen.append((time.monotonic() - STARTED, time.process_time()))
    step(trainer, *arguments)


def finished(trainer: Any, state: Any) -> Any:
    try:
        return run(trainer, state)
    finally:
        peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        facts = {"seconds": seen[0][0], "cpu_seconds": seen[0][1], "peak_bytes": peak_bytes}
        FACTS.write_text(json.dumps(facts))


if __name__ == "__main__":
    Trainer._step, Trainer.run = first, finished  # type: ignore[method-assign,assignment]
    sys.exit(main(sys.argv[2:]))
