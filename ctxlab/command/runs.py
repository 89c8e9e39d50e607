"""``ctxlab runs``: what ran, where, and how it ended; ``--clean`` removes what never began."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from ctxlab.core.errors import UserError
from ctxlab.reporting.tables import show
from ctxlab.tracking.console import console, say
from ctxlab.workbench.history import history, table

FOLDER = "outputs"
"""Folder of the runs unless another is given."""

CLEAN = "--clean"


def run(words: Sequence[str]) -> int:
    """List the runs of a folder, the newest first; returns the exit status.

    Args:
        words: At most one folder, and ``--clean``.

    Raises:
        UserError: The folder does not exist, or a flag is not known.
    """
    flags, folders = [word for word in words if word.startswith("-")], [w for w in words if not w.startswith("-")]
    if any(flag != CLEAN for flag in flags) or len(folders) > 1:
        raise UserError(f"ctxlab runs takes one folder and {CLEAN}, and got {' '.join(words)}.")
    folder = Path(folders[0] if folders else FOLDER)
    found, screen = history(folder), console()
    if flags:
        removed = [one for one in found if one.never_began]
        for one in removed:
            shutil.rmtree(one.folder)
            say(screen, f"removed {one.folder}: {one.command}")
        say(screen, f"{len(removed)} of {len(found)} runs in {folder} never began and were removed.")
        return 0
    if not found:
        say(screen, f"There are no runs in {folder}.")
        return 0
    show(screen, table(found, f"{len(found)} runs in {folder}, the newest first"))
    num_bare = sum(one.never_began for one in found)
    if num_bare:
        say(screen, f"{num_bare} never began: ctxlab runs {folder} {CLEAN} removes them.")
    return 0
