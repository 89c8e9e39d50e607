"""Class numbers of a data set, back to the names that they stand for."""

from collections.abc import Mapping
from typing import Any


def named(fields: Mapping[str, Any], features: Mapping[str, Any]) -> dict[str, Any]:
    """``fields`` with class numbers, also inside lists, replaced by their names in ``features``."""
    return {name: _named(value, features.get(name)) for name, value in fields.items()}


def _named(value: Any, feature: Any) -> Any:
    from datasets import ClassLabel

    if isinstance(feature, ClassLabel):
        known = isinstance(value, int) and feature.names and 0 <= value < len(feature.names)
        return feature.names[value] if known else value
    inner = getattr(feature, "feature", None)  # every list type of the library keeps its element here
    if inner is not None and isinstance(value, list):
        return [_named(element, inner) for element in value]
    return value
