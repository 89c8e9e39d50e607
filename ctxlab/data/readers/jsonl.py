"""JSON: one object per line, a list of objects, or one object that contains such a list or objects by name."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.data.formats import spacy
from ctxlab.data.readers.text import read_text

WRAPPERS = ("data", "examples", "records", "documents", "rows", "items", "instances")
"""Fields in which a file that is one object may have its list of documents."""

SPLITS = frozenset({"train", "validation", "valid", "val", "dev", "test"})
"""Fields in which a file that is one object may have several splits."""

_SPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Value:
    """One JSON value of a file."""

    value: Any
    origin: str


def read(path: Path) -> list[Record]:
    """Return one record per object, wherever the file has them.

    Raises:
        UserError: names the line of invalid JSON, or a value that is not an object.
    """
    text = read_text(path)
    found = list(_values(text, path))
    if len(found) == 1 and isinstance(found[0].value, dict):
        found = _unwrapped(found[0], path)
    return [Record(_object(one, path), one.origin) for one in found]


def _values(text: str, path: Path) -> Iterator[Value]:
    start = _skip(text, 0)
    end = text.find("\n", start)
    if text[start] == "[" and not _is_list_a_line(text, start, end):
        return _items(text, start, path)
    return _lines(text, path) if end < 0 or _is_json(text[start:end]) else _sequence(text, start, path)


def _is_list_a_line(text: str, start: int, end: int) -> bool:
    """Return whether there are several lines and the first is a list that begins with a text, as in spaCy's
    examples."""
    first = _skip(text, start + 1)
    return text[first : first + 1] == '"' and end >= 0 and bool(text[end:].strip()) and _is_json(text[start:end])


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (RecursionError, ValueError):
        return False
    return True


def _lines(text: str, path: Path) -> Iterator[Value]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip(_SPACE):
            yield _line(line, number, path)


def _line(line: str, number: int, path: Path) -> Value:
    try:
        return Value(json.loads(line), f"{path.name} line {number}")
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path} line {number} is not JSON ({error.msg} at column {error.colno}): "
            "write one complete JSON object per line."
        ) from None
    except (RecursionError, ValueError) as error:  # nested too deep, or a number with thousands of digits
        raise _unreadable(path, number, error) from None


def record_of(line: str, number: int, path: Path) -> Record | None:
    """Return the record in one line of a file with one object a line; None for a blank one.

    Args:
        line: The line.
        number: Its number, from 1.
        path: Its file.

    Raises:
        UserError: names the line of invalid JSON, or a value that is not an object.
    """
    if not line.strip(_SPACE):
        return None
    one = _line(line, number, path)
    return Record(_object(one, path), one.origin)


def is_object(line: str) -> bool:
    """Return whether a line is a JSON object."""
    return line.lstrip(_SPACE).startswith("{") and _is_json(line)


def _sequence(text: str, start: int, path: Path) -> Iterator[Value]:
    """Yield consecutive values, each over several lines."""
    line, counted = 1, 0
    while start < len(text):
        line, counted = line + text.count("\n", counted, start), start
        value, start = _decode(text, start, path)
        yield Value(value, f"{path.name} line {line}")
        start = _skip(text, start)


def _items(text: str, start: int, path: Path) -> Iterator[Value]:
    """Yield the items of the list at ``start`` one at a time, so that the list is never in memory twice."""
    line, counted, number = 1, 0, 0
    start = _skip(text, start + 1)
    while text[start : start + 1] != "]":
        line, counted, number = line + text.count("\n", counted, start), start, number + 1
        value, start = _decode(text, start, path)
        yield Value(value, f"{path.name} item {number} (line {line})")
        start = _skip(text, start)
        if text[start : start + 1] == ",":
            start = _skip(text, start + 1)
        elif text[start : start + 1] != "]":
            raise UserError(
                f"{path} line {text.count(chr(10), 0, start) + 1} is not JSON (expecting ',' or ']' after item "
                f"{number} of the list): correct the list there."
            )
    end = _skip(text, start + 1)
    if end < len(text):
        raise UserError(
            f"{path} line {text.count(chr(10), 0, end) + 1} continues after the end of its list: write one list of "
            "objects per file, or one complete JSON object per line."
        )


def _decode(text: str, start: int, path: Path) -> tuple[Any, int]:
    try:
        return json.JSONDecoder().raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path} line {error.lineno} is not JSON ({error.msg} at column {error.colno}): correct that line."
        ) from None
    except (RecursionError, ValueError) as error:
        raise _unreadable(path, text.count("\n", 0, start) + 1, error) from None


def _unreadable(path: Path, line: int, error: BaseException) -> UserError:
    return UserError(f"{path} line {line} is not JSON that can be read ({error}): correct that line.")


def _skip(text: str, start: int) -> int:
    while start < len(text) and text[start] in _SPACE:
        start += 1
    return start


def _unwrapped(one: Value, path: Path) -> list[Value]:
    """Return the list of documents in a file's only object, or the object itself if it has none."""
    lists = {name: value for name, value in one.value.items() if _is_objects(value)}
    if len(lists) > 1 and lists.keys() <= SPLITS:
        raise UserError(
            f"{path} has several splits ({', '.join(lists)}) in one object: write each list to a file of its own, and "
            "name them with data.train_file=…, data.validation_file=… and data.test_file=…."
        )
    if one.value and all(_is_pandas_column(value) for value in one.value.values()):
        raise UserError(
            f"{path} has columns as pandas writes them: write it with "
            'DataFrame.to_json(…, orient="records", lines=True).'
        )
    if _is_by_id(one.value):
        return [Value({"id": name, **value}, f"{path.name} '{name}'") for name, value in one.value.items()]
    name = next((name for name in (*WRAPPERS, *SPLITS) if list(lists) == [name]), None)
    if name is None:
        return [one]
    return [Value(_row(value), f"{path.name} {name}[{index}]") for index, value in enumerate(lists[name])]


def _row(value: dict[str, Any]) -> Any:
    """Return a row of the hub's viewer without its number."""
    return value["row"] if value.keys() >= {"row", "row_idx"} else value


def _is_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _is_by_id(value: dict[str, Any]) -> bool:
    """Return whether an object has several records with the same fields, each under its name."""
    records = list(value.values())
    return len(records) > 1 and all(
        isinstance(one, dict) and one and one.keys() == records[0].keys() for one in records
    )


def _is_pandas_column(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(key.isdecimal() for key in value)


def _object(one: Value, path: Path) -> dict[str, Any]:
    if isinstance(one.value, dict):
        return one.value
    try:
        fields = spacy.pair(one.value)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{path.parent / one.origin} looks like an example of spaCy but is incomplete ({error}): write entities "
            "as [start, end, label]."
        ) from None
    if fields is not None:
        return fields
    if isinstance(one.value, str):
        return {"text": one.value}
    if isinstance(one.value, list) and one.value and all(isinstance(turn, str) for turn in one.value):
        return {"dialog": one.value}
    raise UserError(
        f"{path.parent / one.origin} is a JSON {type(one.value).__name__}: write JSON objects "
        '(such as {"tokens": [...], "tags": [...]}), one per line or as a list.'
    )
