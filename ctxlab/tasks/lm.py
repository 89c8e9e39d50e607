"""Language modelling: every token of a whole document is predicted from those before it.

Shape legend: L tokens of a document, W tokens of a window, B windows of a batch, V tokens of the vocabulary.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ctxlab.core.data import Record
from ctxlab.core.task import Loss
from ctxlab.core.types import NO_LABEL, Document, Encoded, IntArray, Merged, Prediction
from ctxlab.tasks.forms import vocabulary
from ctxlab.tasks.forms.base import BaseTask
from ctxlab.tasks.forms.perplexity_fields import perplexity_fields
from ctxlab.tasks.forms.vocabulary import TokenScores
from ctxlab.tasks.records.fields import not_blank, text_of
from ctxlab.tasks.text.encoding import added_characters, encode_text
from ctxlab.tasks.text.subwords import frame
from ctxlab.text.known import unknown_id
from ctxlab.text.language import checked


class LM(BaseTask):
    """Next-token prediction, for continued pretraining and perplexity.

    The first token of a document is not predicted, as nothing is before it. The first token of a later window is
    predicted from the last one of the previous window, so that adjacent windows predict every token once.
    """

    name = "lm"
    only_field = "text"
    head = "causal_lm"
    kinds = frozenset({"decoder"})
    contiguous = True
    metric = "language"
    primary_metric = "bits_per_character"
    lower_is_better = True

    def __init__(self, text_field: str = "text", language: str | None = None) -> None:
        super().__init__()
        self.language = checked(language)
        self._text_field = text_field
        self._vocabulary_size = 0
        self._unknown_id: int | None = None

    def prepare(self, tokenizer: Any) -> None:
        """Store the size of the vocabulary, for the uniform distribution, and the unknown token."""
        self._vocabulary_size, self._unknown_id = len(tokenizer), unknown_id(tokenizer)

    def admit(self, records: Sequence[Record], *, gold: bool) -> list[Record]:
        """Return the records that are not blank: line-based corpora such as WikiText have many blank ones."""
        del gold
        return not_blank(records, self._text_field, self.notes)

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check the text of a record, which is its own gold."""
        del gold
        fields = {"text": text_of(record, self._text_field, option="task.text_field", origin=origin, task=self.name)}
        if record.get("probes") is not None:
            fields["probes"] = record["probes"]
        return Document(str(record.get("id", origin)), fields, origin)

    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Return whole documents as token ids, each labelled with the next one.

        Windows begin with the special tokens before a text, if any, and have none at the end, as a window does not end
        the document.
        """
        before, _ = frame(tokenizer)
        encoded = []
        for document in documents:
            text = encode_text(tokenizer, document.fields["text"], document.fields.get("language", ""))
            encoded.append(
                Encoded(
                    text.input_ids,
                    text.word_ids,
                    next_tokens(text.input_ids),
                    before,
                    marks=text.marks,
                    starts=text.starts,
                    ends=text.ends,
                )
            )
        return encoded

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
        """Return the cross entropy summed over labelled tokens; outputs (B, W, V), labels (B, W)."""
        return vocabulary.cross_entropy(outputs, labels)

    def reduce_outputs(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Reduce outputs (B, W, V) to (B, W, 2); see ``vocabulary.reduce_outputs``."""
        return vocabulary.reduce_outputs(outputs, labels)

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """Return the ``TokenScores`` of all tokens but the first."""
        asked = np.arange(1, len(encoded))
        seen = merged.seen[asked - 1]
        nll = vocabulary.charge_unseen(merged.outputs[asked - 1, 0], seen, self._vocabulary_size)
        characters, unknown = added_characters(encoded.ends)[asked], encoded.input_ids[asked] == self._unknown_id
        nll = vocabulary.charge_unknown(nll, unknown, characters, self._vocabulary_size)
        correct = seen & ~unknown & (merged.outputs[asked - 1, 1] > 0.5)
        scores = TokenScores(
            nll,
            correct,
            seen=seen,
            position=asked,
            characters=characters,
            starts=encoded.starts[asked],
            ends=encoded.ends[asked],
            num_tokens=len(encoded),
        )
        return Prediction(document.id, scores, seen.tolist())

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return the perplexity of the document, in total and by position; see ``perplexity_fields``."""
        return {"id": document.id, **perplexity_fields(prediction.answer)}


def next_tokens(input_ids: IntArray) -> IntArray:
    """Return (L,) the token after each, ``NO_LABEL`` for the last."""
    return np.append(input_ids[1:], NO_LABEL)
