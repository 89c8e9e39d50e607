"""CSV and TSV: a header line, then one document a row, or one word."""

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
from ctxlab.data.readers.word_rows import WORDS, gathered


@dataclass(frozen=True, slots=True)
class Row:
    """Cells of one row and the line that it ends in."""

    line: int
    cells: list[str]


def read(path: Path) -> list[Record]:
    """One record a row, its fields named by the header.

    Cells are text. A column whose cells are all lists or objects, as JSON or as Python writes them, is read as such.
    A file whose header has no comma but semicolons is separated by these.

    Raises:
        UserError: A row with another number of cells than the header, or a header that repeats or lacks a name.
    """
    found = _rows(path)
    if not found:
        raise UserError(f"{path} is empty: put at least one document into it, or name another file.")
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
    return gathered(names, records) or records


def has_header(text: str) -> bool:
    """Whether the first line names columns of words, rather than being a word with its tag."""
    first = text.lstrip("\r\n").split("\n", 1)[0]
    return any(cell.strip().casefold() in (*WORDS, "words", "tokens", "text") for cell in first.split("\t"))


def _rows(path: Path) -> list[Row]:
    """Rows that all have the header's width; tabs are tried with quotation marks first, then with none."""
    text = read_text(path)
    first = text[: text.find("\n")] if "\n" in text else text
    if bare(path).suffix.lower() == ".tsv":
        try:
            quoted, ragged = _split(text, "\t", csv.QUOTE_MINIMAL, strict=True)
        except csv.Error:  # a quotation mark that is a character of its text
            quoted, ragged = _split(text, "\t", csv.QUOTE_NONE)
    else:
        separator = ";" if "," not in first and ";" in first else "\t" if "," not in first and "\t" in first else ","
        quoted, ragged = _split(text, separator, csv.QUOTE_MINIMAL)
    if ragged is not None:
        raise UserError(
            f"{path} line {ragged.line} has {len(ragged.cells)} cells where the header has {len(quoted[0].cells)}: "
            "put texts that hold the separator into quotation marks."
        )
    return quoted


def _split(text: str, separator: str, quoting: int, *, strict: bool = False) -> tuple[list[Row], Row | None]:
    """Rows that are not blank, and the first one whose width is not the header's."""
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
    """Documents are longer than the 131,072 characters that the library allows a cell."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _check_header(names: Sequence[str], path: Path) -> None:
    if "" in names or len(set(names)) < len(names):
        raise UserError(
            f"The first line of {path} ({', '.join(names)[:80]}) names no columns, or one twice: begin the file with "
            "a header such as text,label."
        )


def _parsed(cells: list[str]) -> Sequence[Any]:
    """Lists and objects of a column where every cell is one; else the cells."""
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
