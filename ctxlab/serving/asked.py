"""A request as the server sees it, and the worker that has it."""

import asyncio
from dataclasses import dataclass, field

from ctxlab.serving.frames import Frame


@dataclass(eq=False)
class Asked:
    """A request that was accepted."""

    number: int
    kind: str
    body: bytes
    key: str
    started: float
    frames: "asyncio.Queue[Frame]" = field(default_factory=asyncio.Queue)
    """What the worker says; the last has a status."""
    told: int = 0
    """Lines that the client has."""
    skipped: int = 0
    """Lines of them that another worker has said again."""
    deaths: int = 0
    """Workers that died with it."""
    deaths_alone: int = 0
    """How many of them had no other suspect, see ``suspects``."""
    worker: "Worker | None" = None


@dataclass(eq=False)
class Worker:
    """A process that answers."""

    number: int
    writer: asyncio.StreamWriter
    pid: int
    asked: dict[int, Asked] = field(default_factory=dict)
    is_retired: bool = False
    tokens_read: int = 0
    busy_seconds: float = 0.0
