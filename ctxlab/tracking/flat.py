"""Flattening of nested figures into the names that trackers show."""

from collections.abc import Iterator, Mapping
from typing import Any


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield pairs of slash-joined name and leaf: ``{"a": {"b": 1}}`` gives ``("a/b", 1)``."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", value


def flatten_numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Return only the leaves that are numbers."""
    return {
        name: float(value)
        for name, value in flatten(values)
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
