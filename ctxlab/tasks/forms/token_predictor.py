"""Shared base of language modelling: tokens of the vocabulary are predicted, and a text is its own gold.

Shape legend: B windows of a batch, W tokens of a window, V tokens of the vocabulary, N tokens to predict.
"""

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ctxlab.core.data import Record
from ctxlab.core.task import TOKENS, Loss, Predicted
from ctxlab.core.types import Document, Encoded, IntArray, Merged, Opinion, Prediction
from ctxlab.tasks.forms import vocabulary
from ctxlab.tasks.forms.base import BaseTask
from ctxlab.tasks.forms.perplexity_fields import perplexity_fields
from ctxlab.tasks.forms.vocabulary import TokenScores
from ctxlab.tasks.records.evidence import evidence_field
from ctxlab.tasks.records.fields import not_blank, text_of
from ctxlab.tasks.text.encoding import added_characters
from ctxlab.text.known import unknown_id
from ctxlab.text.language import checked

TINY = 1e-300
"""Smallest probability of a token in a mean."""


class TokenPredictor(BaseTask, ABC):
    """Base of tasks that predict tokens; a task decides which, and from which outputs, by the labels of ``encode``."""

    predicts = TOKENS
    by_token = True
    streams = True
    lower_is_better = True

    def __init__(self, text_field: str, language: str | None) -> None:
        """Store the field of a record with the text, and the language of its rules."""
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
        fields: dict[str, Any] = {
            "text": text_of(record, self._text_field, option="task.text_field", origin=origin, task=self.name)
        }
        fields |= evidence_field(record, len(fields["text"]), origin)
        return Document(str(record.get("id", origin)), fields, origin)

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
        """Return the cross entropy summed over labelled tokens; outputs (B, W, V), labels (B, W)."""
        return vocabulary.cross_entropy(outputs, labels)

    def predicted(self, outputs: torch.Tensor, labels: torch.Tensor) -> Predicted:
        """Return the distribution of each labelled token; outputs (B, W, V), labels (B, W)."""
        return vocabulary.predicted(outputs, labels)

    def reduce_outputs(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Reduce outputs (B, W, V) to (B, W, 2); see ``vocabulary.reduce_outputs``."""
        return vocabulary.reduce_outputs(outputs, labels)

    def scored(self, document: Document, encoded: Encoded, merged: Merged, asked: IntArray, at: IntArray) -> Prediction:
        """Return the ``TokenScores`` of some tokens.

        Args:
            document: The document.
            encoded: Its tokens; the label of an output is the token that it predicts.
            merged: What was observed of the outputs of the document's tokens.
            asked: (N,) indices of the tokens to predict.
            at: (N,) indices of the outputs that predict them.
        """
        seen, gold = merged.seen[at], encoded.labels[at]
        nll = vocabulary.charge_unseen(merged.outputs[at, 0], seen, self._vocabulary_size)
        characters, unknown = added_characters(encoded.ends)[asked], gold == self._unknown_id
        nll = vocabulary.charge_unknown(nll, unknown, characters, self._vocabulary_size)
        scores = TokenScores(
            nll,
            correct=seen & ~unknown & (merged.outputs[at, 1] > 0.5),
            seen=seen,
            position=asked,
            characters=characters,
            starts=encoded.starts[asked],
            ends=encoded.ends[asked],
            num_tokens=len(encoded),
        )
        return Prediction(document.id, scores, seen.tolist())

    def opinion(self, document: Document, encoded: Encoded, merged: Merged) -> Opinion:
        """Return (L, 2): the probability of each token, and 1 where it is the likeliest.

        The mean of the latter says whether most models are right; that of whole distributions is not known.
        """
        del document
        likely = np.exp(-merged.outputs[:, 0].astype(np.float64))
        return Opinion(
            np.stack([likely, merged.outputs[:, 1]], axis=-1), merged.seen, ("likelihood", "right"), encoded.input_ids
        )

    def decide(self, document: Document, encoded: Encoded, merged: Merged, opinion: Opinion) -> Prediction:
        """Return the ``TokenScores`` where tokens have the probabilities of ``opinion``."""
        likely, right = opinion.probabilities.T
        outputs = np.stack([-np.log(np.maximum(likely, TINY)), right], axis=-1).astype(np.float32)
        return self.decode(document, encoded, replace(merged, outputs=outputs, seen=opinion.seen))

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return the perplexity of the document, in total and by position; see ``perplexity_fields``."""
        return {"id": document.id, **perplexity_fields(prediction.answer)}
