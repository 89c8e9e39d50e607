"""Documents from records: checked by the task, with their language, and divided as the task reads them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ctxlab.core.data import Record
from ctxlab.core.privacy import PROTECTION
from ctxlab.core.task import Task
from ctxlab.core.types import Document
from ctxlab.text.language import language_field


def split_documents(task: Task, documents: Sequence[Document] | None) -> list[Document]:
    """Split the records of one split into the documents that the task reads."""
    task.collect(documents or [])
    return [_inherited(part, document, task) for document in documents or [] for part in task.expand(document)]


def _inherited(part: Document, record: Document, task: Task) -> Document:
    """Add the language of the record, else of the task, if either has one, and what was replaced in the record."""
    language = record.fields.get("language") or task.language
    more = {"language": language} if language else {}
    if PROTECTION in record.fields:
        more |= {PROTECTION: record.fields[PROTECTION]}
    return replace(part, fields={**part.fields, **more}) if more else part


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
    more: dict[str, Any] = {"language": language} if language else {}
    if record.protection is not None:
        more[PROTECTION] = record.protection
    return replace(document, fields={**document.fields, **more}) if more else document
