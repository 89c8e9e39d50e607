"""How many workers there should be: tokens that wait over tokens that a worker reads in a second."""

import math
import time

GUESS_TOKENS_PER_BYTE = 0.25
"""Of English text, until documents were measured."""

WEIGHT = 0.2
"""Weight of a new measurement in a running mean."""

IDLE_SECONDS = 30.0
"""Seconds that fewer workers must have sufficed before one is stopped."""


class Pace:
    """Running means of tokens per byte of a body, and of tokens that a worker reads in a second."""

    def __init__(self) -> None:
        self.tokens_per_byte = GUESS_TOKENS_PER_BYTE
        self.tokens_per_second = 0.0
        """0 until something was measured."""

    def measured(self, num_bytes: int, tokens: int) -> None:
        """Take the tokens of a request."""
        if num_bytes:
            self.tokens_per_byte += WEIGHT * (tokens / num_bytes - self.tokens_per_byte)

    def read(self, tokens: int, seconds: float) -> None:
        """Take the tokens that a worker read, and how long its passes took."""
        if seconds > 0 and tokens > 0:
            rate = tokens / seconds
            self.tokens_per_second = rate if not self.tokens_per_second else self._mean(rate)

    def _mean(self, rate: float) -> float:
        return self.tokens_per_second + WEIGHT * (rate - self.tokens_per_second)

    def tokens(self, num_bytes: int) -> float:
        """Return the tokens that a body probably has."""
        return num_bytes * self.tokens_per_byte


def desired(queued_tokens: float, tokens_per_second: float, queue_seconds: float) -> int:
    """Return the number of workers that read what waits in ``queue_seconds``, at least 1."""
    if not tokens_per_second:
        return 1
    return max(1, math.ceil(queued_tokens / (tokens_per_second * queue_seconds)))


class Steps:
    """Decides when to start and stop workers: at once upwards, and downwards after ``IDLE_SECONDS``."""

    def __init__(self, low: int, high: int, idle_seconds: float = IDLE_SECONDS) -> None:
        self._low, self._high, self._idle_seconds = low, high, idle_seconds
        self._fewer_since: float | None = None

    def change(self, there: int, wanted: int, now: float | None = None) -> int:
        """Return how many workers to start, or -1 to stop one.

        Args:
            there: Workers that answer or are starting.
            wanted: What ``desired`` says.
            now: Time in seconds; None for the clock.
        """
        now = time.monotonic() if now is None else now
        wanted = min(max(wanted, self._low), self._high)
        if wanted >= there:
            self._fewer_since = None
            return wanted - there
        if self._fewer_since is None:
            self._fewer_since = now
        if now - self._fewer_since < self._idle_seconds:
            return 0
        self._fewer_since = now
        return -1
