"""How long help and shell completion take."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.bench.timing import alternate, row


def measure(_: Path) -> list[dict[str, Any]]:
    """Measure the wall time of whole processes."""
    program = str(Path(sys.executable).with_name("ctxlab"))
    line = "ctxlab train strategy=lo"
    completing = {**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line))}
    seconds = alternate(
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
    """Return an action to time: a command that runs to its end."""

    def run() -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)

    return run
