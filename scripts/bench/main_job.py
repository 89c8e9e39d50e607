"""Duration and scores of the main job, ``make run``, once everything is installed."""

import json
import re
import shlex
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

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
        found = json.loads((run / "comparison.json").read_text())["candidates"]
    scores = {one["key"]: one["f1"] for one in found if one["status"] == "compared"}
    return [
        row("main job of `make run`, minutes", minutes, at_most=5),
        row("… strict F1 where whole documents are read", max(scores.values()), at_least=0.75),
        row("… over windows without a name and its sentence", max(scores.values()) - scores["chunk-64"], at_least=0.1),
    ]
