"""One document → its answer and why: shared by ``ctxlab explain``, the Python API and a server."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctxlab.core.contract import option
from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.explanation import SENTENCE, TOKEN, WORD, Answered, Asked, Attribution, Explanation, Target
from ctxlab.core.task import Task
from ctxlab.core.types import ADDED, BoolArray, Document, Encoded, IntArray, Merged
from ctxlab.core.types import SENTENCE as SENTENCE_MARK
from ctxlab.evaluation.answerer import Answer, Answerer, coverage
from ctxlab.models.loading.heads import POOLED
from ctxlab.runtime.explaining.document import ReadDocument
from ctxlab.tasks.text.structure import sentence_places
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.explaining.lines import Explained, line


def refuse(task: Task) -> None:
    """Raise UserError if the task has no answer that can be explained."""
    if not task.explains:
        raise UserError(
            f"task={task.name} with these options has no answer that ctxlab explain can take apart: it works with "
            "task=ner, classification, nli, probe, qa, recommendation and dialogue of encoders, with the trained heads "
            "of decoders, and with task=lm."
        )


@dataclass(frozen=True, eq=False)
class Explainer:
    """Everything between a record and its explanation."""

    bench: Workbench
    answerer: Answerer
    explanation: Explanation
    most_targets: int
    """Parts of an answer that are explained; those with known evidence first."""

    def explain_record(self, record: Record) -> list[dict[str, Any]]:
        """Return what ``ctxlab explain`` writes for a record: a line for each of its documents.

        Raises:
            UserError: The record lacks what the task reads, or is too long for the mechanism.
        """
        documents = self.answerer.documents([record])
        self.check(documents)
        return [line(one) for one in self.explained(documents)]

    def check(self, documents: Sequence[Document]) -> None:
        """Check before any forward pass that the mechanism can explain documents of this length.

        Raises:
            UserError: It cannot; names the document.
        """
        for document, encoded in zip(documents, self.answerer.encode(documents), strict=True):
            self.check_one(document, encoded)

    def check_one(self, document: Document, encoded: Encoded) -> None:
        """Check one document, of which the tokens are known; raises UserError as ``check`` does."""
        reader, seen = self.answerer.reader, np.zeros(len(encoded), np.bool_)
        for window in reader.strategy.reading.windows(encoded, reader.length):
            seen[window.token_index[window.token_index != ADDED]] = True
        sentences = len(np.unique(_sentences_by_mark(encoded)[seen])) if len(encoded.marks) else 1
        counts = {TOKEN: int(seen.sum()), WORD: len(np.unique(encoded.word_ids[seen])), SENTENCE: sentences}
        try:
            self.explanation.check(counts)
        except UserError as error:
            raise UserError(f"{document.origin}: {error}") from None

    def explained(self, documents: Sequence[Document]) -> Iterator[Explained]:
        """Yield the answer for each document with its explanations, in order."""
        encoded = self.answerer.encode(documents)
        for document, tokens, merged in zip(documents, encoded, self.answerer.reader.read(encoded), strict=True):
            yield self.explained_one(document, tokens, merged)

    def explained_one(
        self,
        document: Document,
        encoded: Encoded,
        merged: Merged,
        *,
        pause: Callable[[int], None] = lambda _: None,
        wanted: str = "",
    ) -> Explained:
        """Return the answer for a document that has been read, with its explanations.

        Args:
            document: The document.
            encoded: Its tokens.
            merged: The outputs of its windows.
            pause: Called before each further forward pass with its tokens, while nothing is changed on the model.
            wanted: Name of the part of the answer that is explained, or its label; empty for all.

        Raises:
            UserError: The mechanism cannot explain it, or there is no part of this name.
        """
        task = self.answerer.task
        prediction = task.decode(document, encoded, merged)
        subject = self._subject(encoded, {})
        subject.reads.pause = pause
        answered = Answered(encoded, merged, prediction, outputs=subject.outputs, spell=self._spell)
        asked = task.explained(document, answered)
        subject.units = units_of(encoded, merged.seen, asked)
        parts = _named(asked.targets, wanted)
        targets = self._chosen(parts)
        return Explained(
            document.id,
            Answer(self.answerer.record(document, prediction), coverage(document, encoded, merged)),
            asked,
            explanation=option(self.explanation),
            subject=subject,
            targets=targets,
            attributions=[self._attribute(document, subject, target) for target in targets],
            left_out=len(parts) - len(targets),
        )

    def _attribute(self, document: Document, subject: ReadDocument, target: Target) -> Attribution:
        try:
            return self.explanation.attribute(subject, target)
        except UserError as error:
            raise UserError(f"{document.origin}: {error}") from None

    def _chosen(self, targets: Sequence[Target]) -> list[Target]:
        known = [target for target in targets if target.evidence]
        chosen = [*known, *(target for target in targets if not target.evidence)][: self.most_targets]
        return sorted(chosen, key=lambda target: int(target.marked[0]) if len(target.marked) else 0)

    def _subject(self, encoded: Encoded, units: dict[str, list[IntArray]]) -> ReadDocument:
        tokenizer, task = self.bench.tokenizer, self.answerer.task
        mask = next(one for one in (tokenizer.mask_token_id, tokenizer.pad_token_id, 0) if one is not None)
        return ReadDocument(
            self.answerer.reader,
            encoded,
            task.explained_outputs,
            mask_id=mask,
            pooled=task.head in POOLED,
            units=units,
        )

    def _spell(self, token: int) -> str:
        return str(self.bench.tokenizer.decode([token]))


def _named(targets: Sequence[Target], wanted: str) -> Sequence[Target]:
    """Return the targets of a name, or of a label; all if none is wanted."""
    found = [target for target in targets if not wanted or target.name in (wanted, f"label {wanted}")]
    if wanted and not found:
        raise UserError("the answer has no such part: leave it out, and the answer names its parts.")
    return found


def make_explainer(bench: Workbench, explanation: Explanation, most_targets: int) -> Explainer:
    """Return what explains documents of an opened run.

    Args:
        bench: The run.
        explanation: The mechanism.
        most_targets: Parts of an answer that are explained, at least 1.

    Raises:
        UserError: The task has no answer that can be explained.
    """
    refuse(bench.task)
    return Explainer(bench, bench.answerer(), explanation, most_targets)


def units_of(encoded: Encoded, seen: BoolArray, asked: Asked) -> dict[str, list[IntArray]]:
    """Return the tokens of each token, word and sentence of which any was read.

    Args:
        encoded: The document.
        seen: (L,) which tokens were read.
        asked: Its text, for sentences where the tokens are not marked.
    """
    sentences = _sentences_by_mark(encoded)
    if not (len(encoded.marks) and (encoded.marks & SENTENCE_MARK).any()):
        sentences = _sentences_by_text(encoded, asked)
    read = np.flatnonzero(seen)
    tokens = [read[i : i + 1] for i in range(len(read))]
    return {TOKEN: tokens, WORD: _groups(encoded.word_ids, read), SENTENCE: _groups(sentences, read)}


def _groups(ids: IntArray, read: IntArray) -> list[IntArray]:
    """Return the read tokens with each id, in order; ids ascend."""
    own = ids[read]
    return np.split(read, np.flatnonzero(np.diff(own)) + 1) if len(read) else []


def _sentences_by_mark(encoded: Encoded) -> IntArray:
    """Return (L,) number of the sentence of each token, by the marks of where sentences begin."""
    if not len(encoded.marks):
        return np.zeros(len(encoded), np.int64)
    return np.cumsum((encoded.marks & SENTENCE_MARK) > 0)


def _sentences_by_text(encoded: Encoded, asked: Asked) -> IntArray:
    """Return (L,) number of the sentence of each token, by the sentences of the text."""
    begins = np.asarray([start for start, _ in sentence_places(asked.text)], np.int64)
    if asked.offsets is None:
        last = np.maximum(encoded.ends - 1, 0)
    else:
        last = np.asarray([end for _, end in asked.offsets], np.int64)[encoded.word_ids] - 1
    return np.searchsorted(begins, last, side="right")
