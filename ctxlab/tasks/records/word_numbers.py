"""Numbers of the words of a record: a list for each word, as the model takes them."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.numbers import BOX, BOXES, LARGEST, Numbers
from ctxlab.core.types import FloatArray
from ctxlab.tasks.records.fields import kind, missing


def numbers_field(record: Mapping[str, Any], field: str, origin: str, task: str) -> Sequence[Any]:
    """Return the list in ``field`` of a record.

    Args:
        record: A raw record.
        field: Its name in the record.
        origin: Place of the record, for messages.
        task: Name of the task that reads it.

    Raises:
        UserError: It is missing, or is no list.
    """
    if field not in record:
        raise missing(record, field, origin=origin, task=task, option="task.numbers_field")
    value = record[field]
    if not isinstance(value, list | tuple | np.ndarray) or not len(value):
        raise UserError(f"The field '{field}' of {origin} is {kind(value)}: give a list with the numbers of each word.")
    return cast(Sequence[Any], value)


def word_numbers(rows: Sequence[Any], count: int, wanted: Numbers, field: str, origin: str) -> FloatArray:
    """Return (words, F) checked numbers of the words of a record.

    A word without numbers has null. Of boxes, the page may be left out, and is 0 then; a single number need not be in a
    list.

    Args:
        rows: A list of numbers for each word, or a number.
        count: Words of the record.
        wanted: What the model takes.
        field: Name of the field, for messages.
        origin: Place of the record, for messages.

    Raises:
        UserError: There are more or fewer rows than words, or one of them is not what the model takes.
    """
    if len(rows) != count:
        raise UserError(
            f"{origin} has {count:,} words and {len(rows):,} lists of numbers in '{field}': give one for each word."
        )
    if (whole := _whole(rows, wanted)) is not None:
        return whole
    found = np.zeros((count, wanted.count), np.float32)
    for place, row in enumerate(rows):
        if row is not None:
            found[place] = _checked(row, wanted, f"'{field}[{place}]' of {origin}")
    return found


def _whole(rows: Sequence[Any], wanted: Numbers) -> FloatArray | None:
    """Return (words, F) floats that are as they should be; None for others, which are looked at one by one."""
    try:
        found = np.asarray(rows, np.float64)
    except (TypeError, ValueError):
        return None
    found = found[:, None] if found.ndim == 1 else found
    fits = wanted.kind != BOXES and found.shape == (len(rows), wanted.count) and bool(np.isfinite(found).all())
    return found.astype(np.float32) if fits else None


def _checked(row: Any, wanted: Numbers, where: str) -> FloatArray:
    """Return the (F,) numbers of a word; ``where`` names them in messages."""
    try:
        values = np.atleast_1d(np.asarray(row, np.float64))
    except (TypeError, ValueError):
        values = np.full(1, np.nan)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise UserError(f"The field {where} is {str(row)[:60]}: give numbers, or null for a word without any.")
    if wanted.kind == BOXES and len(values) == len(BOX) - 1:
        values = np.append(values, 0)
    if len(values) != wanted.count:
        advice = (
            f"a box is {', '.join(BOX[:-1])} and perhaps its {BOX[-1]}"
            if wanted.kind == BOXES
            else f"give {wanted.count} for each word, or model.numbers.size={len(values)}"
        )
        raise UserError(f"The field {where} has {len(values)} numbers: {advice}.")
    if wanted.kind == BOXES:
        _check_box(values, where)
    return values.astype(np.float32)


def _check_box(values: Any, where: str) -> None:
    x0, y0, x1, y1, page = values
    if min(values) < 0 or max(x1, y1) > LARGEST or x0 > x1 or y0 > y1 or page != int(page):
        raise UserError(
            f"The field {where} is [{', '.join(f'{value:g}' for value in values)}]: a box is left, top, right, bottom, "
            f"each from 0 to {LARGEST} (the size of the page) and in this order, and a page counted from 0."
        )
