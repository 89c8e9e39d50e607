"""Loading the documents of each split from a source."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ctxlab.core.data import Record, Source
from ctxlab.core.task import Task
from ctxlab.core.types import Document
from ctxlab.data import folds
from ctxlab.text.language import language_field

HELD_OUT_SHARE = 0.1
"""Fraction of the training documents used as validation split if there is none."""


@dataclass(frozen=True, slots=True)
class Splits:
    """Documents of each split; a split that the source does not have is an empty list."""

    train: list[Document]
    validation: list[Document]
    test: list[Document]
    notes: list[str] = field(default_factory=list)
    """Choices that were made where the user gave none, one sentence each, for the report."""

    def of(self, split: str) -> list[Document]:
        """Return the documents of ``train``, ``validation`` or ``test``."""
        documents: list[Document] = getattr(self, split)
        return documents


@dataclass(frozen=True, slots=True)
class HoldOut:
    """Division of the validation and test documents: one fold is the validation split, the others the test split."""

    num_folds: int
    """Number of folds of the validation and test documents taken together."""
    fold: int
    """Index of the fold that is the validation split, from 0."""


def load_documents(source: Source, task: Task, seed: int, hold_out: HoldOut | None = None) -> Splits:
    """Load all splits; without a validation split a tenth of the training documents is held out by ``seed``.

    Whole records are held out before the task splits them, so that questions about one text are never in both splits.

    Args:
        source: Source of the documents.
        task: Parses and checks them.
        seed: Seed of generated documents, of the held-out documents, and of folds.
        hold_out: Redivides validation and test documents; None keeps the splits of the source.

    Raises:
        UserError: A document cannot be read, or there are fewer documents than folds.
    """
    train, validation, test = (_records(source, task, split, seed) for split in ("train", "validation", "test"))
    notes = list(dict.fromkeys(source.notes))
    if train and validation is None:
        total = len(train)
        train, validation = set_apart(train, seed)
        notes.append(
            f"There is no validation split: {len(validation)} of {total} training documents were held out for it by "
            f"seed {seed}."
            if validation
            else "There is no validation split, and a single training document leaves none to hold out: give "
            "data.validation_file=<file>, or, in a file of columns, separate documents by lines -DOCSTART-."
        )
    if hold_out is not None:
        validation, test = _dealt([*(validation or []), *(test or [])], hold_out, seed)
    return Splits(split_documents(task, train), split_documents(task, validation), split_documents(task, test), notes)


def _dealt(documents: Sequence[Document], hold_out: HoldOut, seed: int) -> tuple[list[Document], list[Document]]:
    """Divide documents into those for selection and those that are reported."""
    places = [document.id for document in documents]
    scored = folds.reported(places, num_folds=hold_out.num_folds, fold=hold_out.fold, seed=seed)
    return (
        [document for document, is_scored in zip(documents, scored, strict=True) if not is_scored],
        [document for document, is_scored in zip(documents, scored, strict=True) if is_scored],
    )


def split_documents(task: Task, documents: Sequence[Document] | None) -> list[Document]:
    """Split the records of one split into the documents that the task reads."""
    task.collect(documents or [])
    return [_with_language(part, document, task) for document in documents or [] for part in task.expand(document)]


def _with_language(part: Document, record: Document, task: Task) -> Document:
    """Add the language of the record, else of the task, if either has one."""
    language = record.fields.get("language") or task.language
    return replace(part, fields={**part.fields, "language": language}) if language else part


def documents_of(task: Task, records: Sequence[Record], *, gold: bool) -> list[Document]:
    """Parse records with the task, which checks them, and add their language.

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


def load_split(source: Source, task: Task, split: str, seed: int) -> list[Document] | None:
    """Load the documents of one split with gold labels; None if the source has no such split.

    Args:
        source: Where records come from.
        task: Checks the records, and splits them into documents.
        split: ``train``, ``validation`` or ``test``.
        seed: Seed of the data; only generated documents depend on it.
    """
    records = _records(source, task, split, seed)
    return None if records is None else split_documents(task, records)


def _records(source: Source, task: Task, split: str, seed: int) -> list[Document] | None:
    """Load the records of one split before the task splits them."""
    records = source.load(task.name, split, seed)
    return None if records is None else documents_of(task, records, gold=True)


def set_apart(documents: Sequence[Document], seed: int) -> tuple[list[Document], list[Document]]:
    """Divide documents into training and validation, in their original order; depends on their number and ``seed``.

    At least one document is held out, unless there is only one.
    """
    count = max(1, round(len(documents) * HELD_OUT_SHARE)) if len(documents) > 1 else 0
    order = np.random.default_rng((seed % 2**63, len(documents))).permutation(len(documents))
    held_out = set(order[:count].tolist())
    return (
        [document for index, document in enumerate(documents) if index not in held_out],
        [document for index, document in enumerate(documents) if index in held_out],
    )
