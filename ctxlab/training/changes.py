"""A sentence about the settings that differ in a resumed run."""

from collections.abc import Iterator, Mapping
from typing import Any

GROUPS = ("optimizer", "scheduler", "trainer")
"""Groups of the configuration that a resumed run may change."""

INERT = frozenset(
    f"trainer.{name}"
    for name in ("log_every_steps", "save_every_steps", "keep_checkpoints", "num_workers", "tokens_per_forward")
)
"""Keys that change no figure of a report."""


def changes(before: Mapping[str, Any], now: Mapping[str, Any], step: int) -> list[str]:
    """Return a sentence that names the settings that differ from ``step`` on; empty if none does.

    Args:
        before: Groups of the configuration of the checkpoint; keys that it lacks are ignored.
        now: The same groups of the resumed run.
        step: Steps done before.
    """
    old, new = dict(_flat(before)), dict(_flat(now))
    found = [
        f"{key}={_shown(value)} (before: {_shown(old[key])})"
        for key, value in new.items()
        if key in old and old[key] != value and key not in INERT
    ]
    return [f"From step {step} on the run was trained with {', '.join(found)}."] if found else []


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _shown(value: Any) -> str:
    return "null" if value is None else str(value)
