"""Timing of actions that alternate, which is fair on a noisy machine."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter
from typing import Any


def alternate(actions: Mapping[str, Callable[[], Any]], rounds: int, warm_up: int = 1) -> dict[str, float]:
    """Return the median seconds of each action over ``rounds``; every round runs each action once."""
    for _ in range(warm_up):
        for action in actions.values():
            action()
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            started = perf_counter()
            action()
            seconds[name].append(perf_counter() - started)
    return {name: median(values) for name, values in seconds.items()}


def row(what: str, measured: float, *, at_least: float | None = None, at_most: float | None = None) -> dict[str, Any]:
    """Return one row of the table, with whether its target is met.

    Args:
        what: What is measured.
        measured: The figure.
        at_least: Smallest figure that meets the target.
        at_most: Largest one, where ``at_least`` is not given.
    """
    if at_least is not None:
        return {"what": what, "measured": measured, "target": f"≥ {at_least:g}", "met": measured >= at_least}
    if at_most is not None:
        return {"what": what, "measured": measured, "target": f"≤ {at_most:g}", "met": measured <= at_most}
    return {"what": what, "measured": measured, "target": "", "met": None}


def ctxlab(*arguments: str) -> None:
    """Run the command in its own process; its output goes to standard error."""
    environment = {name: value for name, value in os.environ.items() if name != "WANDB_API_KEY"}
    command = [sys.executable, "-m", "ctxlab", *arguments]
    subprocess.run(command, check=True, stdout=sys.stderr, env=environment)


def last_json(text: str) -> Any:
    """Return the last line of ``text``, parsed as JSON."""
    return json.loads(text.strip().splitlines()[-1])
