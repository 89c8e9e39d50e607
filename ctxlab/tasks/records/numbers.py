"""Numbers in the fields of records."""

import math
from collections.abc import Mapping
from typing import Any

from ctxlab.core.errors import UserError

LARGEST = 1e15
"""Bound of a number, so that squares and sums of them stay exact enough."""


def number_of(record: Mapping[str, Any], field: str, option: str, origin: str) -> float:
    """Return the checked number in ``field``; tables have numbers as text.

    Args:
        record: A raw record.
        field: Its name in the record.
        option: Key that sets ``field``.
        origin: Place of the record, for messages.

    Raises:
        UserError: It is missing or no finite number.
    """
    value = record.get(field)
    try:
        number = float("nan") if isinstance(value, bool) or value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not math.isfinite(number) or abs(number) > LARGEST:
        shown = "missing" if value is None else str(value)[:80]
        raise UserError(
            f"The field '{field}' of {origin} is {shown}: give a number, or name another field with {option}=."
        )
    return number
