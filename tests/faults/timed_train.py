"""A command whose time in its tracker is measured: ``python -m tests.faults.timed_train <file> <words of ctxlab>``."""

import sys
import time
from pathlib import Path
from typing import Any

from ctxlab.cli import main
from ctxlab.tracking.guarded import Guarded

call = Guarded._call
spent = 0.0


def timed(guarded: Guarded, action: Any) -> Any:
    global spent
    started = time.monotonic()
    try:
        return call(guarded, action)
    finally:
        spent += time.monotonic() - started


if __name__ == "__main__":
    Guarded._call = timed  # type: ignore[method-assign]
    status = main(sys.argv[2:])
    Path(sys.argv[1]).write_text(f"{spent} {time.monotonic()}")  # what is left is the end of the process
    sys.exit(status)
