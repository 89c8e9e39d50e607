"""JSON lines: one document a line."""

import json
from pathlib import Path

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.data.readers.text import read_lines


def read(path: Path) -> list[Record]:
    """One record a line that is not blank.

    Raises:
        UserError: A line that is not a JSON object, by number.
    """
    records = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(
                f"{path} line {number} is not JSON ({error.msg} at column {error.colno}): "
                "write one whole JSON object a line."
            ) from None
        except (RecursionError, ValueError) as error:  # nested too deep, or a number with thousands of digits
            raise UserError(f"{path} line {number} is not JSON that can be read ({error}): mend that line.") from None
        if not isinstance(fields, dict):
            raise UserError(
                f"{path} line {number} holds a JSON {type(fields).__name__}: write one JSON object "
                '(such as {"tokens": [...], "tags": [...]}) a line.'
            )
        records.append(Record(fields, f"{path.name} line {number}"))
    return records
