"""Probes answered by generative models: a line of text for each question."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ctxlab.core.types import Document, Encoded, IntArray, Merged, Prediction
from ctxlab.tasks.generative.base import GenerativeTask
from ctxlab.tasks.generative.prompts import Prompt, line_ends
from ctxlab.tasks.records.probes import BETWEEN, Reply, probe_fields, spans_seen
from ctxlab.tasks.records.questions import answer_tokens
from ctxlab.tasks.text.encoding import Pieces
from ctxlab.text.units import words_around


class GenerativeProbe(GenerativeTask):
    """The form of ``task=probe`` for decoders and encoder-decoders.

    An answer is the generated text up to the end of the line. Where a text takes several windows, the question is put
    to each, and the most likely of the generated texts is the answer (joined texts would contain more of the wanted
    words by guessing). A window is trained to generate all answers if it contains all of their spans, and nothing
    otherwise.
    """

    name = "probe"
    metric = "probe_recall"
    primary_metric = "recall"

    def __init__(self, decoding: Mapping[str, Any] | None, prompt: Prompt, text_field: str = "text") -> None:
        """Store the settings of generation, the prompt around windows, and the field of the text."""
        super().__init__(decoding, prompt, "best")
        self._text_field = text_field

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check text, question and answers of a record; with ``gold=False`` text and question are enough."""
        fields = probe_fields(record, self._text_field, origin, gold=gold)
        return Document(str(record.get("id", origin)), fields, origin)

    def source(self, document: Document) -> str:
        """Return the text."""
        return str(document.fields["text"])

    def ask(self, document: Document) -> str:
        """Return the question."""
        return f"Question: {document.fields['question']}"

    def target(self, document: Document) -> str | None:
        """Return all answers, or the first where any one is right."""
        fields = document.fields
        return BETWEEN.join(fields["answers"][: fields["asked"]]) if "answers" in fields else None

    def evidence(self, document: Document, text: Pieces) -> IntArray:
        """Return the tokens of all spans."""
        found = [np.arange(first, last + 1) for first, last in (answer_tokens(text, *s) for s in _spans(document))]
        return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)

    def excerpt(self, document: Document, num_words: int) -> str:
        """Return the words around the first span, so that a few-shot example contains its evidence."""
        text, spans = self.source(document), _spans(document)
        return words_around(text, spans[0][0] if spans else 0, num_words // 2, num_words, fill=True)

    def more_stops(self, tokenizer: Any) -> tuple[int, ...]:
        """Return the line ends: an answer is one line."""
        return line_ends(tokenizer)

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """Return the ``Reply``; ``seen`` is whether all of each span was seen, or of the text where none is known."""
        texts, scores = [self.text_of(w) for w in merged.generated], [w.score for w in merged.generated]
        reply = Reply(self.combined(texts, scores), len(encoded.input_ids))
        return Prediction(document.id, reply, spans_seen(document, encoded, merged))

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return the question and the generated answer."""
        return {"id": document.id, "question": document.fields["question"], "answer": prediction.answer.text}


def _spans(document: Document) -> Sequence[tuple[int, int]]:
    return [(start, end) for start, end in document.fields["spans"]]
