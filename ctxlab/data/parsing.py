"""Documents from records: checked by the task, with their language, and divided as the task reads them."""

from collections.abc import Sequence
from dataclasses import replace

from ctxlab.core.data import Record
from ctxlab.core.task import Task
from ctxlab.core.types import Document
from ctxlab.text.language import language_field


def split_documents(task: Task, documents: Sequence[Document] | None) -> list[Document]:
    """Split the records of one split into the documents that the task reads."""
    task.collect(documents or [])
    return [_with_language(part, document, task) for document in documents or [] for part in task.expand(document)]


def _with_language(part: Document, record: Document, task: Task) -> Document:
    """Add the language of the record, else of the task, if either has one."""
    language = record.fields.get("language") or task.language
    return replace(part, fields={**part.fields, "language": language}) if language else part


def documents_of(task: Task, records: Sequence[Record], *, gold: bool) -> list[Document]:
    """Parse the usable records with the task, which checks them, and add their language.

    Raises:
        UserError: A record is invalid; names its place.
    """
    return [_parsed(task, record, gold=gold) for record in task.admit(records, gold=gold)]


def _parsed(task: Task, record: Record, *, gold: bool) -> Document:
    document, language = (
        task.parse(record.fields, record.origin, gold=gold),
        language_field(record.fields.get("language")),
    )
    return replace(document, fields={**document.fields, "language": language}) if language else document
