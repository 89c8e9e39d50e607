"""``ctxlab doctor``: the machine, or a run directory, in a table with fixes."""

import importlib
from collections.abc import Sequence
from pathlib import Path

from ctxlab.core.errors import UserError
from ctxlab.reporting.tables import show
from ctxlab.tracking.console import console, say

EXAMINATION = "ctxlab.workbench.doctor"
"""Module that examines; it needs torch, which the command line does without."""


def run(words: Sequence[str]) -> int:
    """Examine the machine, or the run directory that is given; returns 1 if something is to be done, else 0.

    Raises:
        UserError: More than one word, or no run directory.
    """
    if len(words) > 1 or any(word.startswith("-") for word in words):
        raise UserError(f"ctxlab doctor takes at most one run directory, and got {' '.join(words)}.")
    examination = importlib.import_module(EXAMINATION)
    found = examination.examine_run(Path(words[0])) if words else examination.examine()
    screen, num_wrong = console(), sum(bool(one.fix) for one in found)
    show(screen, examination.table(found, words[0] if words else "This machine"))
    say(screen, f"{num_wrong} of {len(found)} lines say what to do." if num_wrong else "Nothing is wrong.")
    return int(num_wrong > 0)
