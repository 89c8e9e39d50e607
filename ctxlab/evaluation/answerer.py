"""One document → its record and what was read of it: shared by ``ctxlab predict``, the Python API and the server."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ctxlab.core.data import Record
from ctxlab.core.privacy import PROTECTION, Privacy, Protection
from ctxlab.core.task import Task
from ctxlab.core.types import Document, Encoded, Merged, Prediction
from ctxlab.data.parsing import documents_of, split_documents
from ctxlab.evaluation.evaluator import predict
from ctxlab.privacy.none import NoPrivacy
from ctxlab.privacy.replacing.records import protected
from ctxlab.runtime.reader import Reader
from ctxlab.text.known import Known, covered


@dataclass(frozen=True, slots=True)
class DocumentCoverage:
    """How much of one document the model was given."""

    tokens: int
    """Tokens of the whole document."""
    tokens_read: int
    """How many of them were in a window."""
    characters: int
    """Characters of the whole document that its tokens cover, so without white space."""
    characters_read: int
    """How many of them belong to read tokens; of a list of words those of words of which every token was read."""
    characters_unknown: int
    """How many of them the tokenizer does not know, so that the model cannot tell them apart."""
    characters_split: int
    """How many of them are encoded as several tokens each."""
    windows: int
    """Windows that the document was read in."""

    @property
    def truncated(self) -> bool:
        """Whether a part of the document was not read."""
        return self.tokens_read < self.tokens

    @property
    def known(self) -> Known:
        """Return the counts of characters by how the tokenizer encodes them."""
        return Known(self.characters, self.characters_unknown, self.characters_split)

    def plain(self) -> dict[str, Any]:
        """Return the figures by their names, as they are written."""
        return {**asdict(self), "truncated": self.truncated}


@dataclass(frozen=True, slots=True)
class Answer:
    """The prediction for one document."""

    record: dict[str, Any]
    """What ``ctxlab predict`` writes as a line."""
    coverage: DocumentCoverage


@dataclass(frozen=True, eq=False)
class Answerer:
    """Everything between a record and its answer, except the grouping of documents."""

    task: Task
    encode: Callable[[Sequence[Document]], Sequence[Encoded]]
    """Tokenises whole documents."""
    reader: Reader
    privacy: Privacy = field(default_factory=NoPrivacy)
    """Replaces what is personal in a record before the task reads it; answers name places in the original."""

    def documents(self, records: Sequence[Record]) -> list[Document]:
        """Return the documents that records consist of, such as one for each question; labels are not needed.

        Raises:
            UserError: A record lacks what the task reads; names it.
        """
        found = protected(records, self.privacy)
        return split_documents(self.task, documents_of(self.task, found, gold=False))

    def answers(self, documents: Sequence[Document]) -> Iterator[Answer]:
        """Yield the answer for each document, in order; documents may share forward passes."""
        encoded = self.encode(documents)
        found = predict(self.reader, self.task, documents, encoded)
        if self.task.gathers:
            yield from self._gathered(documents, encoded, found)
            return
        for document, tokens, (answer, merged) in zip(documents, encoded, found, strict=True):
            yield Answer(self.record(document, answer), coverage(document, tokens, merged))

    def _gathered(
        self, documents: Sequence[Document], encoded: Sequence[Encoded], found: Iterator[tuple[Prediction, Merged]]
    ) -> Iterator[Answer]:
        """Yield the answers of documents that are made of all together; those without a record are left out."""
        predictions, read = [], []
        for document, tokens, (prediction, merged) in zip(documents, encoded, found, strict=True):
            predictions.append(prediction)
            read.append(coverage(document, tokens, merged))
        for document, prediction, share in zip(
            documents, self.task.gathered(documents, predictions), read, strict=True
        ):
            if record := self.record(document, prediction):
                yield Answer(record, share)

    def answer(self, document: Document, encoded: Encoded, merged: Merged) -> Answer:
        """Return the answer for a document whose windows have been read."""
        decoded = self.task.decode(document, encoded, merged)
        return Answer(self.record(document, decoded), coverage(document, encoded, merged))

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return what ``ctxlab predict`` writes: with replacements, ``protected`` says where in the original they are.

        Characters are those of the original text, and texts those that the model read, with replacements.
        """
        line = self.task.record(document, prediction)
        protection: Protection | None = document.fields.get(PROTECTION)
        if protection is None:
            return line
        return {**self.task.relocated(line, document, protection.original), "protected": protection.plain()}


def coverage(document: Document, encoded: Encoded, merged: Merged) -> DocumentCoverage:
    """Count what was read of one document."""
    return DocumentCoverage(
        tokens=len(encoded),
        tokens_read=int(merged.seen.sum()),
        characters=encoded.num_characters,
        characters_read=_characters_read(document, encoded, merged),
        characters_unknown=encoded.num_unknown,
        characters_split=encoded.num_split,
        windows=merged.num_windows,
    )


def _characters_read(document: Document, encoded: Encoded, merged: Merged) -> int:
    if merged.seen.all():
        return encoded.num_characters
    if len(encoded.starts):
        return covered(encoded.starts[merged.seen], encoded.ends[merged.seen])
    sizes = np.asarray([len(word) for word in document.fields.get("tokens", ())], np.int64)
    is_read = np.zeros(len(sizes), np.bool_)
    is_read[encoded.word_ids[merged.seen]] = True
    is_read[encoded.word_ids[~merged.seen]] = False
    return int(sizes[is_read].sum())
