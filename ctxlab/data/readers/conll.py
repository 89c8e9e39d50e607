"""Column files with one word per line, in any of the common layouts of named entity corpora."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.data.readers.layouts.base import Columns, Layout, Sample, columns_of, is_bio
from ctxlab.data.readers.layouts.conllu import CoNLLU
from ctxlab.data.readers.layouts.numbered import Numbered
from ctxlab.data.readers.layouts.ontonotes import OntoNotes
from ctxlab.data.readers.layouts.tag_first import TagFirst
from ctxlab.data.readers.layouts.word_first import WordFirst
from ctxlab.data.readers.text import read_lines
from ctxlab.text.units import unit_spans

LAYOUTS: tuple[type[Layout], ...] = (OntoNotes, CoNLLU, Numbered, TagFirst, WordFirst)
"""Layouts in the order in which they are tried; the last accepts any file."""

_WORD = re.compile(r"\w(?:[\w'’.\-/@]*\w)?|[^\w\s]{1,3}")
"""A line that is a single word."""

_LONGEST_WORD = 40

_MOST_UNITS = 6
"""Most units of a word: ``self-made`` has two, a Chinese sentence one per character."""

_LOOKED_AT = 1_000_000
"""Characters of a file that are examined to distinguish columns from prose."""


def read(path: Path) -> list[Record]:
    """Return one record per document: ``tokens``, ``tags`` (if any), ``sentence_starts``.

    A blank line ends a sentence. A document starts at a marker of its layout (``-DOCSTART-``, ``# newdoc``, ``#begin
    document``); a file without markers is one document. Columns are separated by tabs, or by spaces in a line without
    a tab. Lines that begin with ``#`` and are not rows are comments.

    Raises:
        UserError: A line has another number of columns than the first.
    """
    lines = read_lines(path)
    layout = next(found for kind in LAYOUTS if (found := kind.of(Sample.of(lines))) is not None)
    documents = [document for document in _documents(lines, layout, path) if document.tokens]
    if not documents:
        raise UserError(f"{path} has no words, only comments and document markers: write one word per line.")
    tagged = any(tag for document in documents for tag in document.tags)
    return [document.record(tagged=tagged) for document in documents]


@dataclass(slots=True)
class _Document:
    origin: str
    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    sentence_starts: list[int] = field(default_factory=list)

    def add(self, rows: Sequence[Columns], layout: Layout) -> None:
        """Add the words of one sentence."""
        start = len(self.tokens)
        for row, tag in zip(rows, layout.tags(rows), strict=True):
            word = layout.word(row)
            if word is not None:
                self.tokens.append(word)
                self.tags.append(tag)
        if len(self.tokens) > start:
            self.sentence_starts.append(start)

    def record(self, *, tagged: bool) -> Record:
        """Return the document as a record; if any word has a tag, words without one are outside entities."""
        fields = {"tokens": self.tokens, "tags": [tag or "O" for tag in self.tags]}
        if not tagged:
            del fields["tags"]
        return Record({**fields, "sentence_starts": self.sentence_starts}, self.origin)


def _documents(lines: Sequence[str], layout: Layout, path: Path) -> Iterator[_Document]:
    document: _Document | None = None
    rows: list[Columns] = []
    width = 0
    for number, line in enumerate([*lines, ""], start=1):
        columns = columns_of(line)
        begins = bool(columns) and layout.starts_document(line, columns)
        if (not columns or begins) and rows:
            assert document is not None
            document.add(rows, layout)
            rows = []
        if begins:
            if document is not None:
                yield document
            document = _Document(f"{path.name} line {number}")
        if not columns or begins or layout.is_comment(line, columns):
            continue
        document = document or _Document(f"{path.name} line {number}")
        width = width or len(columns)
        if layout.same_width and len(columns) != width:
            raise UserError(
                f"{path} line {number} has {len(columns)} columns where the lines before have {width}: write one "
                "token per line, with its tag in the last column and a blank line after each sentence."
            )
        if len(columns) < layout.least:
            raise UserError(
                f"{path} line {number} has {len(columns)} columns, and a row of {layout.name} at least {layout.least}: "
                "correct that line."
            )
        rows.append(columns)
    if document is not None:
        yield document


def _is_word(text: str) -> bool:
    """Return whether a line is one word, and not a sentence, also in scripts without spaces."""
    return len(text) <= _LONGEST_WORD and _WORD.fullmatch(text) is not None and len(unit_spans(text)) <= _MOST_UNITS


def looks_like_columns(text: str) -> bool:
    """Return whether most lines of a file are a word with a tag, or a single word, which prose is not."""
    sample = Sample.of(text[:_LOOKED_AT].split("\n"))
    rows = sample.rows
    if not rows:
        return any(line.startswith("#") and is_bio(columns_of(line)[-1]) for line in sample.comments)
    if any(kind.of(sample) is not None for kind in LAYOUTS[:-1]):
        return True
    if sum(map(len, rows)) == len(rows):
        return all(_is_word(word) for (word,) in rows)
    return bool(sample.bio_columns()) or 2 * sum(len(row) > 1 and is_bio(row[-1]) for row in rows) >= len(rows)
