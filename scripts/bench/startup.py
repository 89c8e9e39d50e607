"""How long a person waits for help and for a completion."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.bench.timing import row, take_turns


def measure(_: Path) -> list[dict[str, Any]]:
    """Wall time of whole processes."""
    program = str(Path(sys.executable).with_name("ctxlab"))
    line = "ctxlab train strategy=lo"
    completing = {**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line))}
    seconds = take_turns(
        {
            "help": process([program, "--help"]),
            "stage help": process([program, "train", "--help"]),
            "completion": process([program, "completion", "query", line], completing),
            "torch": process([sys.executable, "-c", "import torch"]),
        },
        rounds=7,
    )
    slowest = max(seconds[name] for name in ("help", "stage help", "completion"))
    return [
        row("slowest of --help, train --help and a completion, seconds", slowest, at_most=1.0),
        row("… over `python -c 'import torch'`", slowest / seconds["torch"], at_most=0.5),
    ]


def process(command: list[str], environment: dict[str, str] | None = None) -> Callable[[], None]:
    """Run a command to its end, as an action to time."""

    def run() -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)

    return run
