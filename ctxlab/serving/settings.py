"""What a server is told by its configuration, and what it says about its model."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may ask for; uvicorn has no such limits of its own."""

    max_bytes: int
    """Bytes of a body."""
    max_waiting: int
    """Documents without an answer at the same time."""
    body_seconds: float
    """Seconds in which a body must arrive."""
    drain_seconds: float
    """Seconds that accepted documents have to be answered after a signal."""


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
