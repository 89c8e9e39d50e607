"""Masked language modelling: masked tokens of a whole document are predicted from those around them.

Shape legend: L tokens of a document, W tokens of a window, B windows of a batch, V tokens of the vocabulary.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
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

HIDDEN_SHARE, REPLACED_SHARE = 0.8, 0.1
"""Fractions of the chosen tokens that become the mask token and a random one; the rest stays but is predicted too."""


@dataclass(frozen=True, slots=True, eq=False)
class _Tokens:
    """The properties of a tokenizer that masking needs."""

    mask_id: int
    ordinary: IntArray
    """Ids of all tokens but the special ones."""
    size: int
    unknown_id: int | None


class MLM(BaseTask):
    """Masked tokens as in BERT (Devlin et al. 2019, arXiv:1810.04805).

    A fraction ``masked_share`` of a document's tokens is chosen, at least one; of these 80 % become the mask token,
    10 % a random one and 10 % stay. Deviations: the fraction is of the document, not of each window, and exact up to
    rounding; training documents are masked anew every epoch, as in RoBERTa (arXiv:1907.11692). In evaluation the choice
    depends only on the document's id, so that all models with the same tokenizer predict the same tokens.
    """

    name = "mlm"
    head = "masked_lm"
    kinds = frozenset({"encoder"})
    metric = "masked"
    primary_metric = "pseudo_perplexity"
    lower_is_better = True

    def __init__(self, text_field: str = "text", masked_share: float = 0.15, language: str | None = None) -> None:
        if not 0 < masked_share < 1:
            raise UserError(f"task.masked_share={masked_share} is not a fraction: give a number between 0 and 1.")
        super().__init__()
        self.language = checked(language)
        self._text_field, self._masked_share = text_field, masked_share
        self._tokens: _Tokens | None = None

    @property
    def encode_options(self) -> tuple[Any, ...]:
        """Return the fraction that is masked."""
        return (self._masked_share,)

    def prepare(self, tokenizer: Any) -> None:
        """Store the mask token and the possible random tokens; raises UserError where there is no mask token."""
        self._tokens = _tokens_of(tokenizer)

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
        """Return whole documents as token ids, masked with a seed from their id; labels are the original tokens."""
        before, after = frame(tokenizer)
        tokens, encoded = _tokens_of(tokenizer), []
        for document in documents:
            text = encode_text(tokenizer, document.fields["text"], document.fields.get("language", ""))
            plain = Encoded(
                text.input_ids,
                text.word_ids,
                labels=np.full(len(text.input_ids), NO_LABEL),
                before=before,
                after=after,
                marks=text.marks,
                starts=text.starts,
                ends=text.ends,
            )
            encoded.append(_masked(plain, self._masked_share, tokens, _seed_of(document.id)))
        return encoded

    def resample(self, encoded: Encoded, seed: int) -> Encoded:
        """Return the document with other tokens masked."""
        assert self._tokens is not None, "prepare comes first"
        return _masked(encoded, self._masked_share, self._tokens, seed)

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
        """Return the cross entropy summed over masked tokens; outputs (B, W, V), labels (B, W)."""
        return vocabulary.cross_entropy(outputs, labels)

    def reduce_outputs(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Reduce outputs (B, W, V) to (B, W, 2); see ``vocabulary.reduce_outputs``."""
        return vocabulary.reduce_outputs(outputs, labels)

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """Return the ``TokenScores`` of the masked tokens."""
        assert self._tokens is not None, "prepare comes first"
        asked = np.flatnonzero(encoded.labels != NO_LABEL)
        seen = merged.seen[asked]
        nll = vocabulary.charge_unseen(merged.outputs[asked, 0], seen, self._tokens.size)
        characters, unknown = added_characters(encoded.ends)[asked], encoded.labels[asked] == self._tokens.unknown_id
        nll = vocabulary.charge_unknown(nll, unknown, characters, self._tokens.size)
        correct = seen & ~unknown & (merged.outputs[asked, 1] > 0.5)
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
        """Return the pseudo-perplexity of the document, in total and by position; see ``perplexity_fields``."""
        return {"id": document.id, **perplexity_fields(prediction.answer)}


def unmasked(encoded: Encoded) -> IntArray:
    """Return (L,) token ids of the original text."""
    return np.where(encoded.labels == NO_LABEL, encoded.input_ids, encoded.labels)


def _masked(encoded: Encoded, share: float, tokens: _Tokens, seed: int) -> Encoded:
    original = unmasked(encoded)
    draw = np.random.default_rng(seed)
    count = max(1, round(share * len(original)))
    chosen = draw.permutation(len(original))[:count]
    hidden, replaced = round(HIDDEN_SHARE * count), round((HIDDEN_SHARE + REPLACED_SHARE) * count)
    ids, labels = original.copy(), np.full(len(original), NO_LABEL)
    labels[chosen] = original[chosen]
    ids[chosen[:hidden]] = tokens.mask_id
    ids[chosen[hidden:replaced]] = draw.choice(tokens.ordinary, replaced - hidden)
    return replace(encoded, input_ids=ids, labels=labels)


def _seed_of(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])


def _tokens_of(tokenizer: Any) -> _Tokens:
    if tokenizer.mask_token_id is None:
        raise UserError(
            f"{type(tokenizer).__name__} has no mask token, which task=mlm needs: use model=minilm, or task=lm."
        )
    ordinary = np.setdiff1d(np.arange(len(tokenizer)), np.asarray(tokenizer.all_special_ids))
    return _Tokens(int(tokenizer.mask_token_id), ordinary, len(tokenizer), unknown_id(tokenizer))
