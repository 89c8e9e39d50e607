"""Requests that several workers had when they died: which of them ended the workers?

Many are there by chance, such as all that a killed worker had. So from then on they are tried one at a time, beside
others, and one is given up only if workers die with it that have no other such request.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from ctxlab.serving.asked import Asked

MAX_DEATHS = 3
"""Deaths of a worker after which a request that each of them had is a suspect."""

REST_SECONDS = (2.0, 10.0)
"""Seconds before a suspect is tried again whose worker has died: somebody who kills workers may be done by then. After
one more death than there are rests it is given up."""


class Suspects:
    """The suspects of a pool."""

    def __init__(self, dispatch: Callable[[Asked], None], give_up: Callable[[Asked], None]) -> None:
        """Take what gives a request to a worker, and what refuses one."""
        self._dispatch, self._give_up = dispatch, give_up
        self._tried: Asked | None = None
        self._resting: dict[Asked, asyncio.TimerHandle] = {}
        self._untried: deque[Asked] = deque()

    @property
    def waiting(self) -> list[Asked]:
        """Return those that no worker has."""
        return [*self._untried, *self._resting]

    def mourn(self, asked: Asked) -> None:
        """Take a request that a dead worker had; call ``next`` after all of them."""
        asked.deaths += 1
        if asked is self._tried:
            self._tried = None
            self._rest(asked)
        elif asked.deaths < MAX_DEATHS:
            self._dispatch(asked)
        else:
            self._untried.append(asked)

    def _rest(self, asked: Asked) -> None:
        """Wait before a suspect is tried again, or give it up."""
        asked.deaths_alone += 1
        if asked.deaths_alone > len(REST_SECONDS):
            self._give_up(asked)
            return
        seconds = REST_SECONDS[asked.deaths_alone - 1]
        self._resting[asked] = asyncio.get_running_loop().call_later(seconds, self._rested, asked)

    def _rested(self, asked: Asked) -> None:
        del self._resting[asked]
        self._untried.append(asked)
        self.next()

    def next(self) -> None:
        """Try the next one, if none is being tried."""
        if self._tried is None and self._untried:
            self._tried = self._untried.popleft()
            self._dispatch(self._tried)

    def ended(self, asked: Asked) -> None:
        """Note that a request is answered, or that nobody waits for it."""
        if asked is self._tried:
            self._tried = None
            self.next()
        elif asked in self._untried:
            self._untried.remove(asked)
        elif asked in self._resting:
            self._resting.pop(asked).cancel()

    def stop(self) -> None:
        """Try none any more."""
        for timer in self._resting.values():
            timer.cancel()
