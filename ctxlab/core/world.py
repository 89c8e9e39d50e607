"""Which of the processes of a run this one is, as torchrun and other starters tell it by environment variables."""

import os


def size() -> int:
    """Return the number of processes."""
    return _number("WORLD_SIZE", 1)


def rank() -> int:
    """Return the number of this process, from 0."""
    return _number("RANK", 0)


def restarts() -> int:
    """Return how often torchrun has started the processes again."""
    return _number("TORCHELASTIC_RESTART_COUNT", 0)


def _number(name: str, otherwise: int) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else otherwise
