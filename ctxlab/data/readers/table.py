"""CSV and TSV: a header line, then one document or one word per row."""

import ast
import csv
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.data.readers.text import read_text
from ctxlab.data.readers.unpacked import bare
from ctxlab.data.readers.word_rows import WORDS, as_documents
from ctxlab.text.units import words

MOST_WORDS = 5
"""Most words of a column's name; a first line with more is a document and no header."""


@dataclass(frozen=True, slots=True)
class Row:
    """Cells of one row and its last line."""

    line: int
    cells: list[str]


def read(path: Path) -> list[Record]:
    """Return one record per row, with fields named by the header.

    Cells are text. A column whose cells are all lists or objects, in JSON or Python notation, is parsed. A file whose
    header has no comma may be separated by semicolons, tabs or bars. A first column without a name, which pandas writes
    for the number of a row, is left out.

    Raises:
        UserError: A row differs from the header in length, or the header repeats or lacks a name.
    """
    found = _rows(path)
    if not found:
        raise UserError(f"{path} is empty: put at least one document into it, or name another file.")
    if len(found[0].cells) > 1 and not found[0].cells[0].strip():
        found = [Row(row.line, row.cells[1:]) for row in found]
    header, *rows = found
    names = [name.strip() for name in header.cells]
    _check_header(names, path)
    columns: dict[str, Sequence[Any]] = {
        name: _parsed([row.cells[index] for row in rows]) for index, name in enumerate(names)
    }
    if not rows:
        raise UserError(f"{path} has a header and no row: put at least one document into it, or name another file.")
    records = [
        Record({name: columns[name][index] for name in names}, f"{path.name} line {row.line}")
        for index, row in enumerate(rows)
    ]
    return as_documents(names, records) or records


def has_header(text: str) -> bool:
    """Return whether the first line is a header and not a word with its tag."""
    first = text.lstrip("\r\n").split("\n", 1)[0]
    return any(cell.strip().casefold() in (*WORDS, "words", "tokens", "text") for cell in first.split("\t"))


def _rows(path: Path) -> list[Row]:
    """Return rows that all have the header's width; TSV is parsed with quotation marks first, then without."""
    text = read_text(path)
    first = text[: text.find("\n")] if "\n" in text else text
    if bare(path).suffix.lower() == ".tsv":
        try:
            quoted, ragged = _split(text, "\t", csv.QUOTE_MINIMAL, strict=True)
        except csv.Error:  # a quotation mark that is a character of its text
            quoted, ragged = _split(text, "\t", csv.QUOTE_NONE)
    else:
        separator = next((mark for mark in ",;\t|" if mark in first), ",")
        quoted, ragged = _split(text, separator, csv.QUOTE_MINIMAL)
    if ragged is not None:
        raise UserError(
            f"{path} line {ragged.line} has {len(ragged.cells)} cells where the header has {len(quoted[0].cells)}: "
            "put texts that contain the separator into quotation marks."
        )
    return quoted


def _split(text: str, separator: str, quoting: int, *, strict: bool = False) -> tuple[list[Row], Row | None]:
    """Return rows that are not blank, and the first one whose width differs from the header's."""
    found: list[Row] = []
    with _long_cells():
        # Not splitlines(), which would cut at U+2028 and others that occur in texts.
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, quoting=quoting, strict=strict)  # type: ignore[arg-type]
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append(Row(reader.line_num, cells))
    return found, next((row for row in found if len(row.cells) != len(found[0].cells)), None)


@contextmanager
def _long_cells() -> Iterator[None]:
    """Raise the library's limit of 131,072 characters per cell until the end of the block."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _check_header(names: Sequence[str], path: Path) -> None:
    is_data = any(len(words(name)) > MOST_WORDS or name.endswith((".", "!", "?", "。")) for name in names)
    if is_data or "" in names or len(set(names)) < len(names):
        raise UserError(
            f"The first line of {path} ({', '.join(names)[:80]}) is no header: begin the file with the names of its "
            "columns, each once, such as text,label."
        )


def _parsed(cells: list[str]) -> Sequence[Any]:
    """Parse the cells of a column if every cell is a list or object; else return them unchanged."""
    if not all(cell.strip()[:1] in ("[", "{") for cell in cells):
        return cells
    try:
        return [_literal(cell.strip()) for cell in cells]
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return cells


def _literal(cell: str) -> Any:
    try:
        return json.loads(cell)
    except ValueError:
        return ast.literal_eval(cell)
