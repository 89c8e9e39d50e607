"""The command line that started this process, to be recorded in a run's files.

It is passed in an environment variable, so that processes started by a launcher inherit it.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

VARIABLE = "CTXLAB_COMMAND"


def command() -> list[str]:
    """Return the words of the command, the program's name first; empty if no command started the run."""
    words: list[str] = json.loads(os.environ.get(VARIABLE, "[]"))
    return words


@contextmanager
def recorded_command(words: Sequence[str]) -> Iterator[None]:
    """Record ``words``, free of secrets, as the command until the end of the block."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = json.dumps(list(words))
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = before
