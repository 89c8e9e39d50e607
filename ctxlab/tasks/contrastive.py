"""Contrastive learning of embeddings: two draws of dropout of the same window, told from all other windows.

Shape legend: L tokens of a document, W tokens of a window, B windows of a pass with each one twice, N = B / 2, H width
of the hidden states.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.task import Loss
from ctxlab.core.types import NO_LABEL, Document, Encoded, FloatArray, IntArray, Merged, Prediction
from ctxlab.tasks.forms.base import BaseTask
from ctxlab.tasks.forms.embedding import group_of, info_nce, pooled, same_group
from ctxlab.tasks.records.fields import not_blank, text_of
from ctxlab.tasks.text.encoding import encode_text
from ctxlab.tasks.text.subwords import frame
from ctxlab.text.language import checked

PLACE_BITS = 24
"""Bits of a label with the place of its token; those above have the document."""


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """The answer for one document: means of the states of its tokens, of length 1."""

    whole: FloatArray
    """(H,)"""
    halves: FloatArray
    """(2, H) of the first and the second half of the tokens that were read; zero where fewer than two were."""
    num_tokens: int
    num_seen: int


class Contrastive(BaseTask):
    """Unsupervised SimCSE (Gao et al. 2021, arXiv:2104.08821).

    A window is in a pass twice, with other draws of dropout; the loss is the cross entropy of picking its second draw
    among those of all windows of the pass, from cosines over ``temperature``. Deviations: the embedding is the mean of
    the states of the window's own tokens, not [CLS] with a layer that is thrown away; other windows of the same
    document are no negatives.

    Scores compare the halves of documents without dropout, see ``evaluation.metrics.embeddings``.
    """

    name = "contrastive"
    takes_beside = False
    head = "states"
    kinds = frozenset({"encoder"})
    metric = "embeddings"
    primary_metric = "contrastive_loss"
    lower_is_better = True
    streams = True
    views = 2
    compares = True

    def __init__(self, text_field: str = "text", temperature: float = 0.05, language: str | None = None) -> None:
        """Check and store the options of ``conf/task/contrastive.yaml``."""
        if not temperature > 0:
            raise UserError(f"task.temperature={temperature} divides cosines: give a number above 0, such as 0.05.")
        super().__init__()
        self.language = checked(language)
        self._text_field, self._temperature = text_field, temperature

    def admit(self, records: Sequence[Record], *, gold: bool) -> list[Record]:
        """Return the records that are not blank."""
        del gold
        return not_blank(records, self._text_field, self.notes)

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check the text of a record, which needs no labels."""
        del gold
        text = text_of(record, self._text_field, option="task.text_field", origin=origin, task=self.name)
        return Document(str(record.get("id", origin)), {"text": text}, origin)

    def learn_labels(self, documents: Sequence[Document]) -> None:
        """Learn nothing; note what training compares."""
        del documents
        self.notes.append(
            "Every window is told from the others of its forward pass: accumulating passes to a step does not enlarge "
            "the number of negatives, trainer.tokens_per_forward (by default trainer.tokens_per_step) does."
        )

    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Return whole documents as token ids; a token's label says which document it is of, and where in it."""
        before, after = frame(tokenizer)
        encoded = []
        for document in documents:
            text = encode_text(tokenizer, document.fields["text"], document.fields.get("language", ""))
            encoded.append(text.encoded(_labels(document.id, len(text.input_ids)), before=before, after=after))
        return encoded

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
        """Return the loss summed over windows; outputs (B, W, H), labels (B, W), each window's rows adjacent.

        A window without a negative has weight 0.

        Raises:
            UserError: The strategy links windows, so that the two draws of one are apart.
        """
        if not torch.equal(labels[0::2], labels[1::2]):
            raise UserError(
                "task=contrastive compares windows that stand alone, and this strategy links them: use strategy=chunk."
            )
        known = labels != NO_LABEL
        means = F.normalize(pooled(outputs, known), dim=-1)
        group = labels.amax(dim=1)[0::2] >> PLACE_BITS
        each, has_negative = info_nce(means[0::2] @ means[1::2].T / self._temperature, same_group(group))
        return Loss(each[has_negative].sum() + 0 * each.sum(), has_negative.sum())

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """Return the ``Embedded`` document."""
        states = merged.outputs[merged.seen]
        middle = len(states) // 2
        halves = [_unit(half) for half in (states[:middle], states[middle:])]
        if not middle:
            halves = [np.zeros_like(one) for one in halves]
        answer = Embedded(_unit(states), np.stack(halves), len(encoded), len(states))
        return Prediction(document.id, answer, [bool(len(states))])

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return the embedding, of length 1, and the fraction of the document that was read."""
        answer: Embedded = prediction.answer
        values = [round(float(value), 6) for value in answer.whole]
        return {"id": document.id, "embedding": values, "share_read": answer.num_seen / max(answer.num_tokens, 1)}


def _labels(name: str, length: int) -> IntArray:
    """Return (L,) the document in the upper bits, the place in the lower ones."""
    return (group_of(name) << PLACE_BITS) + np.arange(length, dtype=np.int64) % (1 << PLACE_BITS)


def _unit(states: FloatArray) -> FloatArray:
    """Return the mean of states (T, H), of length 1; zero where there are none."""
    mean = states.sum(axis=0).astype(np.float32)
    length = float(np.linalg.norm(mean))
    unit: FloatArray = mean / length if length else mean
    return unit
