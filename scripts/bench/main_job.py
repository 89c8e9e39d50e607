"""Duration and score of the main job, ``make run``, once everything is installed."""

import re
import shlex
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from ctxlab.core.result import read
from scripts.bench.timing import ctxlab, row


def measure(_: Path) -> list[dict[str, Any]]:
    """Run the command of the Makefile."""
    recipe = re.search(r"^run:.*\n\t\S+/ctxlab (.*) \$\(RUN_OPTIONS\)$", Path("Makefile").read_text(), re.MULTILINE)
    assert recipe is not None, "the Makefile has no target run"
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        started = perf_counter()
        ctxlab(*shlex.split(recipe[1]), f"hydra.run.dir={run}")
        minutes = (perf_counter() - started) / 60
        result = read(run)
    return [
        row("main job of `make run`, minutes", minutes, at_most=5),
        row("… strict F1 on the built-in corpus", result.metrics["validation"]["f1"], at_least=0.85),
    ]
