"""Calls that may hang, with a limit on how long one waits for them."""

import threading
from collections.abc import Callable
from typing import Any


class Late(Exception):  # noqa: N818 - nothing is wrong with it yet
    """A call has not ended in time; it continues in a thread that ends with the process."""


def within(seconds: float, action: Callable[[], Any]) -> Any:
    """Return what ``action`` returns, or raise what it raises, if it ends within ``seconds``.

    Raises:
        Late: It has not ended.
    """
    results: list[Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(action())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise Late(f"no answer within {seconds:g} s")
    return results[0]
