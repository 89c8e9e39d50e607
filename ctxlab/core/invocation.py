"""The words of the command line that started this process, for what a run writes about itself.

They go through an environment variable, so that launchers that start processes of their own pass them on.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

VARIABLE = "CTXLAB_COMMAND"


def command() -> list[str]:
    """Words of the command, the program's name first; none where a run was not started by one."""
    words: list[str] = json.loads(os.environ.get(VARIABLE, "[]"))
    return words


@contextmanager
def invoked(words: Sequence[str]) -> Iterator[None]:
    """Make ``words``, free of secrets, those of the command until the end of the block."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = json.dumps(list(words))
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = before
