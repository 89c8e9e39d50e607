"""Checks records of queries about documents, and the corpus that queries share."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.tasks.records.candidates import list_of
from ctxlab.tasks.records.fields import check_characters, kind, missing, text_of
from ctxlab.tasks.records.questions import Mended, questions_of
from ctxlab.tasks.records.texts import texts_of

TASK = "retrieval"


@dataclass(frozen=True, slots=True)
class Text:
    """One document that can be found."""

    id: str
    text: str
    origin: str
    """Where it comes from, for messages."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One query, and which documents answer it."""

    id: str
    query: str
    relevant: tuple[str, ...] = ()
    """Ids of documents; empty where they are not known."""
    probes: tuple[Mapping[str, Any], ...] = ()
    """Known evidence: ``document, start, end`` and perhaps ``distance``; characters of the document's text."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A checked record: queries, and the documents that it brings along."""

    asked: Sequence[Asked]
    texts: Sequence[Text]
    candidates: tuple[str, ...] | None = None
    """Ids of the documents that are ranked for its queries; None for all of the split and of the corpus."""


@dataclass(slots=True)
class RecordReader:
    """Reads the records of both forms: a query with documents, or a context with questions (``task=qa``)."""

    query_field: str = "query"
    documents_field: str = "documents"
    relevant_field: str = "relevant"
    mended: Mended = field(default_factory=Mended)

    def read(self, record: Mapping[str, Any], name: str, origin: str, *, gold: bool) -> Asking:
        """Check a record.

        Args:
            record: A raw record.
            name: Its id.
            origin: Its place, for messages.
            gold: Whether the relevant documents are needed.

        Raises:
            UserError: A field is missing or not valid; names it.
        """
        if self.query_field not in record and "questions" in record:
            return self._of_questions(record, name, origin, gold=gold)
        query = text_of(record, self.query_field, option="task.query_field", origin=origin, task=TASK)
        texts = self._texts(record, origin)
        relevant = self._relevant(record, origin) if gold else ()
        probes = _probes(record, {one.id: one.text for one in texts}, origin) if gold else ()
        candidates = tuple(one.id for one in texts) if texts else None
        return Asking([Asked(name, query, relevant, probes)], texts, candidates)

    def _texts(self, record: Mapping[str, Any], origin: str) -> list[Text]:
        """Return the documents of a record; none where it has no such field."""
        name = self.documents_field
        if record.get(name) is None:
            return []
        found, places = [], dict[str, int]()
        for index, one in enumerate(list_of(record, name, option="task.documents_field", origin=origin, task=TASK)):
            text = text_record(one, f"the field '{name}[{index}]' of {origin}")
            if text.id in places:
                raise UserError(
                    f"The id '{text.id}' of '{name}[{index}]' of {origin} is already that of "
                    f"'{name}[{places[text.id]}]': give each document its own id."
                )
            places[text.id] = index
            found.append(text)
        return found

    def _relevant(self, record: Mapping[str, Any], origin: str) -> tuple[str, ...]:
        name = self.relevant_field
        given = list_of(record, name, option="task.relevant_field", origin=origin, task=TASK)
        for index, one in enumerate(given):
            if isinstance(one, bool) or not isinstance(one, str | int):
                raise UserError(f"The field '{name}[{index}]' of {origin} is {kind(one)}: give the id of a document.")
        return tuple(dict.fromkeys(str(one) for one in given))

    def _of_questions(self, record: Mapping[str, Any], name: str, origin: str, *, gold: bool) -> Asking:
        """Return a record of ``task=qa`` as queries whose document is its context; unanswerable ones are left out."""
        texts = texts_of(record, "context", option="task.context_field", origin=origin, task="qa")
        found = questions_of(
            record, name, context=texts.text, starts=texts.bodies, origin=origin, gold=gold, mended=self.mended
        )
        asked = [
            Asked(
                one["id"],
                one["question"],
                (name,) if gold else (),
                tuple({"document": name, "start": a["start"], "end": a["end"]} for a in one["answers"][:1]),
            )
            for one in found
            if one["answers"] or not gold
        ]
        return Asking(asked, [Text(name, texts.text, origin)])


def text_record(one: Any, origin: str) -> Text:
    """Return a document of ``{"id", "text"}``; a record of ``task=qa`` has its text in ``context``.

    Raises:
        UserError: It has no id or no text; ``origin`` names it.
    """
    if not isinstance(one, Mapping):
        raise UserError(f'{_capital(origin)} is {kind(one)}: give {{"id": …, "text": …}}.')
    name = one.get("id")
    if isinstance(name, bool) or not isinstance(name, str | int) or name == "":
        raise UserError(f'{_capital(origin)} has no id: give {{"id": …, "text": …}}.')
    field_name = "text" if "text" in one or "context" not in one else "context"
    text = one.get(field_name)
    if not isinstance(text, str) or not text.strip():
        what = "an empty text" if isinstance(text, str) else kind(text)
        raise UserError(f"The text of {origin} is {what}: give the document's text in 'text', or remove it.")
    check_characters(text, origin)
    return Text(str(name), text, origin)


def read_corpus(files: Sequence[str]) -> list[Text]:
    """Return the documents of files of JSON lines, each ``{"id", "text"}``.

    Raises:
        UserError: A file cannot be read, or a line is no document; names file and line.
    """
    found = dict[str, Text]()
    for file in files:
        for number, line in _lines(file):
            origin = f"task.corpus={file} line {number}"
            try:
                record = json.loads(line)
            except ValueError as error:
                raise UserError(f'{origin} is no JSON: write {{"id": …, "text": …}} in every line.') from error
            one = text_record(record, origin)
            if one.id in found:
                raise UserError(f"The id '{one.id}' of {origin} is already that of {found[one.id].origin}: change one.")
            found[one.id] = one
    if not found:
        raise UserError(f"task.corpus={','.join(files)} has no document: write one a line.")
    return list(found.values())


def _lines(file: str) -> Iterator[tuple[int, str]]:
    try:
        with Path(file).expanduser().open(encoding="utf-8-sig") as opened:
            yield from ((number, line) for number, line in enumerate(opened, start=1) if line.strip())
    except UnicodeDecodeError as error:
        raise UserError(f"task.corpus={file} is not UTF-8: convert the file to UTF-8.") from error
    except OSError as error:
        raise UserError(f"task.corpus={file} cannot be read ({error.strerror}): give a file of JSON lines.") from error


def _probes(record: Mapping[str, Any], texts: Mapping[str, str], origin: str) -> tuple[Mapping[str, Any], ...]:
    """Return the checked field ``probes``; pieces of documents of the corpus are checked for their form only."""
    given = record.get("probes")
    if given is None:
        return ()
    for index, piece in enumerate(given if isinstance(given, list | tuple) else [None]):
        if not isinstance(piece, Mapping) or not _fits(piece, texts):
            raise UserError(
                f"The field 'probes[{index}]' of {origin} is {str(piece)[:80]}: give "
                '{"document": …, "start": …, "end": …} with characters of that document, or leave probes out.'
            )
    return tuple({**piece, "document": str(piece["document"])} for piece in given)


def _fits(piece: Mapping[str, Any], texts: Mapping[str, str]) -> bool:
    start, end, owner = piece.get("start"), piece.get("end"), piece.get("document")
    whole = all(isinstance(one, int) and not isinstance(one, bool) for one in (start, end))
    if not whole or owner is None or not 0 <= start < end:  # type: ignore[operator]
        return False
    return str(owner) not in texts or end <= len(texts[str(owner)])  # type: ignore[operator]


def no_candidates(record: Mapping[str, Any], field_name: str, origin: str) -> UserError:
    """Return the error of a query for which there is nothing to rank."""
    return missing(
        record, field_name, origin=origin, task=TASK, advice="give its documents there, or task.corpus=<file> for all"
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
