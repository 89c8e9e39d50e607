"""Loading the documents of each split from a source."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ctxlab.core.data import RecordFile, Source
from ctxlab.core.task import Task
from ctxlab.core.types import BoolArray, Document
from ctxlab.data import folds
from ctxlab.data.parsing import documents_of, split_documents
from ctxlab.data.streamed import StreamedDocuments

HELD_OUT_SHARE = 0.1
"""Fraction of the training documents used as validation split if there is none."""

HELD_OUT_BYTES = 1 << 21
"""About as much is held out of a file that is streamed, if that is less: a validation split is kept in memory and read
at every evaluation."""


@dataclass(frozen=True, slots=True)
class Splits:
    """Documents of each split; a split that the source does not have is an empty list."""

    train: list[Document]
    validation: list[Document]
    test: list[Document]
    notes: list[str] = field(default_factory=list)
    """Choices that were made where the user gave none, one sentence each, for the report."""
    streamed: StreamedDocuments | None = None
    """The training documents, and ``train`` empty, where they are too large for memory."""

    @property
    def training(self) -> list[Document] | StreamedDocuments:
        """Return the training documents, in memory or not."""
        return self.train if self.streamed is None else self.streamed

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


def load_documents(
    source: Source, task: Task, seed: int, hold_out: HoldOut | None = None, *, streams: bool = False
) -> Splits:
    """Load all splits; without a validation split a tenth of the training documents is held out by ``seed``.

    Whole records are held out before the task splits them, so that questions about one text are never in both splits.

    Args:
        source: Source of the documents.
        task: Parses and checks them.
        seed: Seed of generated documents, of the held-out documents, and of folds.
        hold_out: Redivides validation and test documents; None keeps the splits of the source.
        streams: Whether training documents may be left in their file, to be read as they are needed.

    Raises:
        UserError: A document cannot be read, or there are fewer documents than folds.
    """
    file = source.stream(task.name, "train") if streams and task.streams else None
    train = None if file else _records(source, task, "train", seed)
    validation, test = (_records(source, task, split, seed) for split in ("validation", "test"))
    notes, streamed, said = list(dict.fromkeys(source.notes)), None, list[str]()
    if file:
        streamed, validation, said = _streamed(file, task, seed, validation)
    elif train and validation is None:
        total = len(train)
        train, validation = set_apart(train, seed)
        said = [_said(len(validation), total, seed)]
    if hold_out is not None:
        validation, test = _dealt([*(validation or []), *(test or [])], hold_out, seed)
    return Splits(
        split_documents(task, train),
        split_documents(task, validation),
        split_documents(task, test),
        notes=[*notes, *said],
        streamed=streamed,
    )


def _said(held_out: int, total: int, seed: int) -> str:
    """Return the note on a validation split that was taken from ``total`` training documents."""
    if held_out:
        return (
            f"There is no validation split: {held_out} of {total} training documents were held out for it by seed "
            f"{seed}."
        )
    return (
        "There is no validation split, and a single training document leaves none to hold out: give "
        "data.validation_file=<file>, or, in a file of columns, separate documents by lines -DOCSTART-."
    )


def _streamed(
    file: RecordFile, task: Task, seed: int, validation: list[Document] | None
) -> tuple[StreamedDocuments, list[Document], list[str]]:
    """Return the training documents of a large file, the validation documents, and notes.

    Args:
        file: The training file.
        task: Parses its records.
        seed: Seed of the documents that are held out where ``validation`` is None.
        validation: Parsed validation documents; None if there is no such split.
    """
    notes = [
        f"{file.name} ({file.num_bytes / 1e6:,.0f} MB) is larger than what is kept in memory: documents are read and "
        "checked when training reaches them. Whether two have the same id, and whether scored documents are training "
        "documents too, is not examined."
    ]
    lines = np.arange(len(file))
    if validation is None:
        share = min(HELD_OUT_SHARE, HELD_OUT_BYTES / max(file.num_bytes, 1))
        held_out = _held_out(len(file), share, seed)
        records = [record for row in file.read(lines[held_out].tolist(), notes) for record in row]
        lines, validation = lines[~held_out], documents_of(task, records, gold=True)
        notes.append(_said(len(validation), len(file), seed))
    return StreamedDocuments(file, lines, task), validation, notes


def _dealt(documents: Sequence[Document], hold_out: HoldOut, seed: int) -> tuple[list[Document], list[Document]]:
    """Divide documents into those for selection and those that are reported."""
    places = [document.id for document in documents]
    scored = folds.reported(places, num_folds=hold_out.num_folds, fold=hold_out.fold, seed=seed)
    return (
        [document for document, is_scored in zip(documents, scored, strict=True) if not is_scored],
        [document for document, is_scored in zip(documents, scored, strict=True) if is_scored],
    )


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
    records = task.load(source, split, seed)
    return None if records is None else documents_of(task, records, gold=True)


def set_apart(documents: Sequence[Document], seed: int) -> tuple[list[Document], list[Document]]:
    """Divide documents into training and validation, in their original order; depends on their number and ``seed``.

    At least one document is held out, unless there is only one.
    """
    held_out = _held_out(len(documents), HELD_OUT_SHARE, seed)
    return (
        [document for document, is_out in zip(documents, held_out, strict=True) if not is_out],
        [document for document, is_out in zip(documents, held_out, strict=True) if is_out],
    )


def _held_out(total: int, share: float, seed: int) -> BoolArray:
    """Return (total,) which documents are held out: about ``share`` of them, at least one of two or more."""
    count = max(1, round(total * share)) if total > 1 else 0
    held_out = np.zeros(total, np.bool_)
    held_out[np.random.default_rng((seed % 2**63, total)).permutation(total)[:count]] = True
    return held_out
