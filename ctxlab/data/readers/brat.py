"""brat's standoff files: ``x.ann`` says which characters of ``x.txt`` are entities, and how these are related.

Source: brat.nlplab.org/standoff.html.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.data.readers.text import read_lines, read_text

ANNOTATIONS, TEXT = ".ann", ".txt"

_RELATION = re.compile(r"R\S+\t(?P<label>\S+) \w+:(?P<head>\S+) \w+:(?P<tail>\S+)\s*")
_ENTITY = re.compile(r"(T\S+)\t(\S+) (\d+ \d+(?:;\d+ \d+)*)(?:\t(.*))?")


def beside(path: Path) -> Path | None:
    """Return the annotation file of a text, if there is one."""
    found = path.with_suffix(ANNOTATIONS)
    return found if path.suffix.lower() == TEXT and found.is_file() else None


def read(path: Path) -> list[Record]:
    """Return one record: the text, its ``spans``, its ``relations`` and the names of the ``same`` entity.

    Attributes, events and notes are ignored, and so are relations with an event.

    Raises:
        UserError: The text is missing, or an entity is discontinuous or differs from the text at its position.
    """
    text_file = path.with_suffix(TEXT)
    if not text_file.is_file():
        raise UserError(f"{path} has no text beside it: put {text_file.name} into the same folder.")
    text = read_text(text_file)
    lines = read_lines(path) if path.stat().st_size else []
    spans = list(_spans(lines, text, path))
    names = {one["id"] for one in spans}
    relations = [
        {"head": match["head"], "tail": match["tail"], "label": match["label"]}
        for match in map(_RELATION.fullmatch, lines)
        if match is not None and {match["head"], match["tail"]} <= names
    ]
    same = [line.split()[2:] for line in lines if line.startswith("*\tEquiv ")]
    found = {"id": path.stem, "text": text, "spans": spans, "relations": relations, "same": same}
    return [Record(found, path.name)]


def _spans(lines: list[str], text: str, path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.startswith("T"):
            continue
        match = _ENTITY.fullmatch(line)
        if match is None:
            raise UserError(
                f"{path} line {number} is not a brat entity ({line[:60]!r}): write its name, a tab, its type and "
                "characters, a tab, and its text."
            )
        name, label, places, said = match.groups()
        if ";" in places:
            raise UserError(
                f"{path} line {number}: the entity {name} is in {places.count(';') + 1} pieces, but only contiguous "
                "ones are read: keep one piece, or remove it."
            )
        start, end = map(int, places.split())
        if said is not None and _flat(text[start:end]) != _flat(said):
            raise UserError(
                f"{path} line {number}: the entity {name} is {said[:40]!r}, and characters {start} to {end} of "
                f"{path.with_suffix(TEXT).name} are {text[start:end][:40]!r}: save the text as it was annotated."
            )
        yield {"id": name, "start": start, "end": end, "label": label}


def _flat(text: str) -> str:
    """Replace line ends by spaces, as brat writes an entity over two lines."""
    return re.sub(r"\s", " ", text).strip()
