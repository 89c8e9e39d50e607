"""Question answering by generative models: a line of text for each question, or the phrase for "no answer"."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.shape import LabelledSpan
from ctxlab.core.types import Document, Encoded, IntArray, Merged, Prediction
from ctxlab.tasks.generative.base import GenerativeTask
from ctxlab.tasks.generative.prompts import Prompt, line_ends
from ctxlab.tasks.records.questions import (
    PER_TOKEN,
    SHAPE,
    Answer,
    QuestionReader,
    answer_spans,
    answer_tokens,
    drawn_stretch,
    one_a_question,
)
from ctxlab.tasks.text.encoding import Pieces
from ctxlab.text.units import first_words, squeezed, units, words_around
from ctxlab.text.units import num_words as count_words

NO_ANSWER = "{no_answer}"
"""Placeholder in ``task.instruction`` for the phrase for "no answer"."""


class GenerativeQA(GenerativeTask):
    """The form of ``task=qa`` for decoders and encoder-decoders.

    An answer is the generated text up to the end of the line. A decoder reads the question after the context, an
    encoder-decoder before it, and every window has the question. Where the context takes several windows:

    - The answer is the most likely generated text (by mean log probability of its tokens) other than the phrase for
      "no answer"; there is none where every window generated the phrase, or nothing.
    - A window is trained to generate the first answer if it contains all of its tokens, and the phrase otherwise. An
      encoder, in contrast, finds an answer across two windows, as it predicts start and end separately.
    - With ``stretch_tokens`` an epoch trains on a stretch of the context, as for encoders.

    An answer is scored as generated, whether or not it occurs in the context.
    """

    name = "qa"
    metric = "answers"
    primary_metric = "f1"
    shape = SHAPE

    def __init__(
        self,
        decoding: Mapping[str, Any] | None,
        prompt: Prompt,
        no_answer: str = "unanswerable",
        context_field: str = "context",
        stretch_tokens: int | None = None,
        no_answer_share: float = 0.2,
        f1: str = "words",
    ) -> None:
        """Store how questions are read and answered.

        Args:
            decoding: Settings of generation, ``conf/task/decoding``.
            prompt: Text around windows.
            no_answer: Phrase for "no answer".
            context_field: Field of a record that has the context.
            stretch_tokens: Length of training stretches; None for whole contexts.
            no_answer_share: Fraction of the stretches that are drawn regardless of the answer.
            f1: How answers overlap, a key of ``ctxlab.text.answers.OVERLAPS``.
        """
        if not no_answer.strip() or "\n" in no_answer:
            raise UserError(f"task.no_answer={no_answer!r} is not one line of text: give a word, such as unanswerable.")
        super().__init__(
            decoding, replace(prompt, instruction=prompt.instruction.replace(NO_ANSWER, no_answer)), "best"
        )
        self._no_answer, self._f1 = no_answer.strip(), f1
        self._stretch_tokens, self._no_answer_share = stretch_tokens, no_answer_share
        self._reader = QuestionReader(context_field, self.notes)

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check a record of a context and all questions about it."""
        return self._reader.read(record, origin, gold=gold)

    def labelled_spans(self, document: Document) -> list[LabelledSpan]:
        """Return the gold answers."""
        return answer_spans(document)

    def expand(self, document: Document) -> list[Document]:
        """Return one document per question; ``group`` is the record's id."""
        return one_a_question(document, self._f1)

    def source(self, document: Document) -> str:
        """Return the context."""
        return str(document.fields["context"])

    def ask(self, document: Document) -> str:
        """Return the question."""
        return f"Question: {document.fields['question']}"

    def target(self, document: Document) -> str | None:
        """Return the first answer on one line (the others are alternatives), or the phrase."""
        answers = document.fields["answers"]
        return squeezed(answers[0]["text"]) if answers else self._no_answer

    def evidence(self, document: Document, text: Pieces) -> IntArray:
        """Return the tokens of the first answer."""
        for answer in document.fields["answers"][:1]:
            first, last = answer_tokens(text, answer["start"], answer["end"])
            return np.arange(first, last + 1)
        return np.zeros(0, np.int64)

    def absent(self) -> str:
        """Return the phrase for "no answer"."""
        return self._no_answer

    @property
    def encode_options(self) -> tuple[Any, ...]:
        """Return the options of the prompt, and the phrase for "no answer"."""
        return (*super().encode_options, self._no_answer)

    def excerpt(self, document: Document, num_words: int) -> str:
        """Return the words around the first answer, on one line, or the beginning of the context without an answer."""
        context, answers = self.source(document), document.fields["answers"]
        if not answers:
            return first_words(context, num_words)
        start, end = answers[0]["start"], answers[0]["end"]
        around = max(num_words - count_words(context[start:end]), 0) // 2
        return words_around(context, start, around, num_words)

    def more_stops(self, tokenizer: Any) -> tuple[int, ...]:
        """Return the line ends: an answer is one line."""
        return line_ends(tokenizer)

    def resample(self, encoded: Encoded, seed: int) -> Encoded:
        """Return a stretch of the context if ``stretch_tokens`` is set; see ``drawn_stretch``."""
        answer = encoded.evidence
        ends = (int(answer[0]), int(answer[-1])) if len(answer) else None
        part = drawn_stretch(
            len(encoded), ends, length=self._stretch_tokens, no_answer_share=self._no_answer_share, seed=seed
        )
        if part is None:
            return encoded
        arrays = {name: getattr(encoded, name)[part] for name in PER_TOKEN}
        # Evidence outside the stretch gets an index that no window contains.
        left_out = (answer < part.start) | (answer >= part.stop)
        return replace(encoded, **arrays, evidence=np.where(left_out, len(encoded), answer - part.start))

    def combined(self, texts: Sequence[str], scores: Sequence[float]) -> str:
        """Return the most likely text that is not the phrase for "no answer"."""
        return super().combined(["" if self._is_none(text) else text for text in texts], scores)

    def _is_none(self, text: str) -> bool:
        found = units(text.casefold())
        return found == units(self._no_answer.casefold()) if found else text.strip() == self._no_answer

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """Return the ``Answer``; ``seen`` is for each gold answer whether all of it was read."""
        spans = [answer_tokens(encoded, answer["start"], answer["end"]) for answer in document.fields["answers"]]
        seen = [bool(merged.seen[first : last + 1].all()) for first, last in spans]
        texts, scores = [self.text_of(w) for w in merged.generated], [w.score for w in merged.generated]
        text = self.combined(texts, scores)
        score = max((s for t, s in zip(texts, scores, strict=True) if t == text or not text), default=None)
        evidence = spans[0][0] if spans else None
        answer = Answer(
            text,
            None,
            end=None,
            score=score,
            num_tokens=len(encoded),
            evidence=evidence,
            asked_after=self.kind == "decoder",
        )
        return Prediction(document.id, answer, seen)

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return the answer, empty for none, and its mean log probability."""
        answer: Answer = prediction.answer
        return {
            "id": document.id,
            "question": document.fields["question"],
            "answer": answer.text,
            "score": answer.score,
        }
