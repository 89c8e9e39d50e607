"""Question answering by models that write: a line of text for each question, or the phrase for "no answer"."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import Document, Encoded, IntArray, Merged, Prediction
from ctxlab.tasks.records.questions import (
    STRETCHED,
    Answer,
    QuestionReader,
    answer_tokens,
    drawn_stretch,
    one_a_question,
)
from ctxlab.tasks.text.encoding import Pieces
from ctxlab.tasks.written.base import Writing
from ctxlab.tasks.written.prompts import Prompt, line_ends
from ctxlab.text.units import first_words, squeezed, units, words_around
from ctxlab.text.units import num_words as count_words

NO_ANSWER = "{no_answer}"
"""What ``task.instruction`` has in the place of the phrase for "no answer"."""


class WrittenQA(Writing):
    """The form of ``task=qa`` for decoders and encoder-decoders.

    An answer is what is written up to the end of the line. A decoder is asked behind the context, an encoder-decoder in
    front of it; every window is asked. Where the context takes several windows:

    - The answer is what a window held for likeliest (mean log probability of its tokens) of all that is not the phrase
      for "no answer"; there is none where every window wrote the phrase, or nothing.
    - A window is trained to write the first answer if it holds all of its tokens, and the phrase otherwise: unlike an
      encoder, which finds an answer that is cut in two, as both halves are pointed at apart.
    - With ``stretch_tokens`` an epoch trains on a stretch of the context, as encoders do.

    An answer is scored as it was written, whether or not it occurs in the context.
    """

    name = "qa"
    metric = "answers"
    primary_metric = "f1"

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
        """Take how text is written, what stands around windows, the phrase for "no answer", and what ``QA`` takes."""
        if not no_answer.strip() or "\n" in no_answer:
            raise UserError(f"task.no_answer={no_answer!r} is not a line of text: give a word, such as unanswerable.")
        super().__init__(
            decoding, replace(prompt, instruction=prompt.instruction.replace(NO_ANSWER, no_answer)), "best"
        )
        self._no_answer, self._f1 = no_answer.strip(), f1
        self._stretch_tokens, self._no_answer_share = stretch_tokens, no_answer_share
        self._reader = QuestionReader(context_field, self.notes)

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """A context and all questions about it, checked."""
        return self._reader.read(record, origin, gold=gold)

    def split(self, document: Document) -> list[Document]:
        """One document a question; ``group`` is the record's id."""
        return one_a_question(document, self._f1)

    def source(self, document: Document) -> str:
        """The context."""
        return str(document.fields["context"])

    def ask(self, document: Document) -> str:
        """The question."""
        return f"Question: {document.fields['question']}"

    def target(self, document: Document) -> str | None:
        """The first answer on one line (others are other ways to say it), or the phrase."""
        answers = document.fields["answers"]
        return squeezed(answers[0]["text"]) if answers else self._no_answer

    def evidence(self, document: Document, text: Pieces) -> IntArray:
        """The tokens of the first answer."""
        for answer in document.fields["answers"][:1]:
            first, last = answer_tokens(text, answer["start"], answer["end"])
            return np.arange(first, last + 1)
        return np.zeros(0, np.int64)

    def absent(self) -> str:
        """The phrase."""
        return self._no_answer

    @property
    def encode_options(self) -> tuple[Any, ...]:
        """The phrase too."""
        return (*super().encode_options, self._no_answer)

    def excerpt(self, document: Document, num_words: int) -> str:
        """The words around the first answer, on one line; the beginning of the context where there is none."""
        context, answers = self.source(document), document.fields["answers"]
        if not answers:
            return first_words(context, num_words)
        start, end = answers[0]["start"], answers[0]["end"]
        around = max(num_words - count_words(context[start:end]), 0) // 2
        return words_around(context, start, around, num_words)

    def more_stops(self, tokenizer: Any) -> tuple[int, ...]:
        """An answer is a line."""
        return line_ends(tokenizer)

    def renew(self, encoded: Encoded, seed: int) -> Encoded:
        """With ``stretch_tokens``, a stretch of the context; see ``drawn_stretch``."""
        answer = encoded.evidence
        ends = (int(answer[0]), int(answer[-1])) if len(answer) else None
        part = drawn_stretch(len(encoded), ends, self._stretch_tokens, self._no_answer_share, seed)
        if part is None:
            return encoded
        arrays = {name: getattr(encoded, name)[part] for name in STRETCHED}
        # A token that was left out is none of any window, whatever its number: the last one cannot be in it.
        left_out = (answer < part.start) | (answer >= part.stop)
        return replace(encoded, **arrays, evidence=np.where(left_out, len(encoded), answer - part.start))

    def combined(self, texts: Sequence[str], scores: Sequence[float]) -> str:
        """The likeliest of those that answer."""
        return super().combined(["" if self._is_none(text) else text for text in texts], scores)

    def _is_none(self, text: str) -> bool:
        told = units(text.casefold())
        return told == units(self._no_answer.casefold()) if told else text.strip() == self._no_answer

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """The ``Answer``; ``seen`` says for each gold answer whether all of it was read."""
        spans = [answer_tokens(encoded, answer["start"], answer["end"]) for answer in document.fields["answers"]]
        seen = [bool(merged.seen[first : last + 1].all()) for first, last in spans]
        texts, scores = [self.text_of(w) for w in merged.written], [w.score for w in merged.written]
        text = self.combined(texts, scores)
        score = max((s for t, s in zip(texts, scores, strict=True) if t == text or not text), default=None)
        evidence = spans[0][0] if spans else None
        answer = Answer(text, None, None, score, len(encoded), evidence, asked_behind=self.kind == "decoder")
        return Prediction(document.id, answer, seen)

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """The answer, empty for none, and how likely it was."""
        answer: Answer = prediction.answer
        return {
            "id": document.id,
            "question": document.fields["question"],
            "answer": answer.text,
            "score": answer.score,
        }
