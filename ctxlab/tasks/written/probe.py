"""Probes answered by models that write: a line of text for each question."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ctxlab.core.types import Document, Encoded, IntArray, Merged, Prediction
from ctxlab.tasks.records.probes import BETWEEN, Reply, probe_fields, spans_seen
from ctxlab.tasks.records.questions import answer_tokens
from ctxlab.tasks.text.encoding import Pieces
from ctxlab.tasks.written.base import Writing
from ctxlab.tasks.written.prompts import Prompt, line_ends
from ctxlab.text.units import words_around


class WrittenProbe(Writing):
    """The form of ``task=probe`` for decoders and encoder-decoders.

    An answer is what is written up to the end of the line. Where a text takes several windows every one is asked, and
    the likeliest of what they wrote is the answer (that of a single window, as a sum of guesses would contain more of
    what is wanted than any of them). A window is trained to write all answers if it holds all of their places, and
    nothing otherwise.
    """

    name = "probe"
    metric = "probe"
    primary_metric = "recall"

    def __init__(self, decoding: Mapping[str, Any] | None, prompt: Prompt, text_field: str = "text") -> None:
        """Take how text is written, what stands around windows, and the field of the text."""
        super().__init__(decoding, prompt, "best")
        self._text_field = text_field

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Text, question and answers of a record, checked; with ``gold=False`` text and question are enough."""
        fields = probe_fields(record, self._text_field, origin, gold=gold)
        return Document(str(record.get("id", origin)), fields, origin)

    def source(self, document: Document) -> str:
        """The text."""
        return str(document.fields["text"])

    def ask(self, document: Document) -> str:
        """The question."""
        return f"Question: {document.fields['question']}"

    def target(self, document: Document) -> str | None:
        """All answers, or the first where any will do."""
        fields = document.fields
        return BETWEEN.join(fields["answers"][: fields["asked"]]) if "answers" in fields else None

    def evidence(self, document: Document, text: Pieces) -> IntArray:
        """The tokens of all spans."""
        found = [np.arange(first, last + 1) for first, last in (answer_tokens(text, *s) for s in _spans(document))]
        return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)

    def excerpt(self, document: Document, num_words: int) -> str:
        """The words around the first span, so that an example holds what its answer tells of."""
        text, spans = self.source(document), _spans(document)
        return words_around(text, spans[0][0] if spans else 0, num_words // 2, num_words, fill=True)

    def more_stops(self, tokenizer: Any) -> tuple[int, ...]:
        """An answer is a line."""
        return line_ends(tokenizer)

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """The ``Reply``; ``seen`` says whether all of each span was, or of the text where none is known."""
        texts, scores = [self.text_of(w) for w in merged.written], [w.score for w in merged.written]
        reply = Reply(self.combined(texts, scores), len(encoded.input_ids))
        return Prediction(document.id, reply, spans_seen(document, encoded, merged))

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """What was asked and what was written."""
        return {"id": document.id, "question": document.fields["question"], "answer": prediction.answer.text}


def _spans(document: Document) -> Sequence[tuple[int, int]]:
    return [(start, end) for start, end in document.fields["spans"]]
