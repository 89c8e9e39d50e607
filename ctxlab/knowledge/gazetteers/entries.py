"""Reading a gazetteer: texts with their types, from a file of entries or of triples."""

from collections.abc import Iterator
from pathlib import Path

from ctxlab.config.nearest import suggestion
from ctxlab.core.errors import UserError
from ctxlab.core.types import MOST_KNOWN
from ctxlab.text.phrases import Words
from ctxlab.text.units import token_spans, words

KEY = "knowledge.file"

FORMS = "text<TAB>type or subject<TAB>relation<TAB>object, the same on every line"


def read_entries(file: str, relation: str | None) -> dict[str, frozenset[Words]]:
    """Return type → the texts that have it, as words; types in alphabetical order.

    A text is divided into words at blanks, and also as plain text is for prediction, where that differs.

    Args:
        file: UTF-8 text, each line ``text<TAB>type``, or ``subject<TAB>relation<TAB>object``: the object is a type of
            the subject. Blank lines are skipped.
        relation: Relation of the triples that are read; None for all.

    Raises:
        UserError: The file cannot be read, has no entry, or a line is not an entry; names file and line.
    """
    found: dict[str, set[Words]] = {}
    relations: set[str] = set()
    for text, name, by in _rows(file):
        relations.add(by)
        if relation in (None, by):
            found.setdefault(name, set()).update({tuple(words(text)), tuple(text[a:b] for a, b in token_spans(text))})
    if not relations:
        raise UserError(f"{KEY}={file} has no entry: write one a line, {FORMS}.")
    if not found:
        raise UserError(
            f"knowledge.relation={relation} is in no line of {file}"
            f"{suggestion(str(relation), sorted(relations - {''}), 'relations')}"
        )
    if len(found) > MOST_KNOWN:
        raise UserError(
            f"{KEY}={file} has {len(found)} types ({', '.join(sorted(found)[:5])}, …), and at most {MOST_KNOWN} are "
            "possible: join some, or for triples choose a relation with knowledge.relation=<relation>."
        )
    return {name: frozenset(found[name]) for name in sorted(found)}


def _rows(file: str) -> Iterator[tuple[str, str, str]]:
    """Yield text, type and relation (empty in a file of entries) of each line."""
    num_columns = 0
    for number, line in _lines(file):
        cells = [cell.strip() for cell in line.split("\t")]
        num_columns = num_columns or len(cells)
        if len(cells) not in (2, 3) or len(cells) != num_columns or not all(cells):
            raise UserError(f"{KEY}={file} line {number} is {line[:60]!r}, which is no entry: write {FORMS}.")
        yield cells[0], cells[-1], cells[1] if len(cells) == 3 else ""


def _lines(file: str) -> Iterator[tuple[int, str]]:
    """Yield the lines with text, and their numbers from 1."""
    number = 0
    try:
        with Path(file).expanduser().open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                if text.strip():
                    yield number, text
    except UnicodeDecodeError as error:
        raise UserError(f"{KEY}={file} line {number} is not UTF-8: convert the file to UTF-8.") from error
    except OSError as error:
        raise UserError(f"{KEY}={file} cannot be read ({error.strerror}): give a text file.") from error
