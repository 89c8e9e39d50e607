"""The command line that started this process, to be recorded in a run's files, and what it was handed.

Both are passed in environment variables, so that processes started by a launcher inherit them.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "CTXLAB_COMMAND"

HANDED = "CTXLAB_HANDED"
"""Directory of a run that another process has claimed for this one, whose words are those that Hydra composes."""


def command() -> list[str]:
    """Return the words of the command, the program's name first; empty if no command started the run."""
    words: list[str] = json.loads(os.environ.get(VARIABLE, "[]"))
    return words


@contextmanager
def recorded_command(words: Sequence[str]) -> Iterator[None]:
    """Record ``words``, free of secrets, as the command until the end of the block."""
    with _set(VARIABLE, json.dumps(list(words))):
        yield


def handed() -> Path | None:
    """Return the directory that was claimed for this process; None if it claims its own."""
    return Path(os.environ[HANDED]) if os.environ.get(HANDED) else None


@contextmanager
def handing(run_dir: Path) -> Iterator[None]:
    """Hand a claimed directory to the processes that are started until the end of the block."""
    with _set(HANDED, str(run_dir)):
        yield


@contextmanager
def _set(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before
