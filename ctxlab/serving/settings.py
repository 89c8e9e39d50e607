"""What a server is told by its configuration, and what it says about its model."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path

from ctxlab.core.errors import UserError

WORKERS = re.compile(r"(\d{1,4})(?:\.\.(\d{1,4}))?")
"""A number of processes, or a smallest and a largest."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may ask for; uvicorn has no such limits of its own."""

    max_bytes: int
    """Bytes of a body."""
    max_characters: int
    """Characters of all texts of a body."""
    max_waiting: int
    """Requests without an answer at the same time, and documents of one request."""
    max_waiting_per_key: int
    """Requests of one key without an answer at the same time."""
    max_connections: int
    """Connections at the same time that are answered other addresses than those of health."""
    head_seconds: float
    """Seconds from a connection to the end of the first request's header."""
    body_seconds: float
    """Seconds in which a body must arrive."""
    drain_seconds: float
    """Seconds that accepted documents have to be answered after a signal."""


@dataclass(frozen=True, slots=True)
class Elastic:
    """How many processes answer documents."""

    min_workers: int
    max_workers: int
    queue_seconds: float
    """Seconds in which the documents that wait should be read."""


@dataclass(frozen=True, slots=True)
class JobSettings:
    """Jobs, whose answers are fetched later."""

    folder: Path
    """Folder of their journal."""
    max_jobs: int
    """Jobs without an answer at the same time."""
    kept_seconds: float
    """Seconds that an answer is kept."""


def workers(given: str) -> tuple[int, int]:
    """Return the smallest and the largest number of ``serve.workers``.

    Raises:
        UserError: It is not such a value.
    """
    found = WORKERS.fullmatch(given.strip())
    low, high = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= low <= high:
        raise UserError(
            f"serve.workers={given} is neither a number of processes nor a range: give 1 or more, or such as 1..4."
        )
    return low, high


@dataclass(frozen=True, slots=True)
class Served:
    """The model, as every answer names it."""

    run: str
    """Name of the run directory, or of a model that no run has trained."""
    checkpoint: str
    """Name of the checkpoint; empty without one."""
    sha256: str
    """Checksum of its weights; empty without one."""
    task: str
    strategy: str
    context_length: int
    """Tokens."""

    def plain(self) -> dict[str, str | int]:
        """Return these by their names."""
        return asdict(self)
