"""Converting values of a data set's columns to those of a file: class names instead of numbers, dates as text."""

import datetime
from collections.abc import Mapping
from typing import Any


def named(fields: Mapping[str, Any], features: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``fields`` with class numbers, also inside lists, replaced by their names in ``features``.

    A number without a class (the hub's -1 for "no gold label") becomes None. Dates, into which the library converts
    texts that look like one, become text again (ISO 8601; without the time if it is midnight).
    """
    return {name: _named(value, features.get(name)) for name, value in fields.items()}


def _named(value: Any, feature: Any) -> Any:
    from datasets import ClassLabel

    if isinstance(feature, ClassLabel):
        known = isinstance(value, int) and feature.names and 0 <= value < len(feature.names)
        return feature.names[value] if known else None if isinstance(value, int) else value
    if isinstance(value, datetime.date):
        return value.isoformat().removesuffix("T00:00:00")
    inner = getattr(feature, "feature", None)  # every list type of the library keeps its element here
    if inner is not None and isinstance(value, list):
        return [_named(element, inner) for element in value]
    return value
