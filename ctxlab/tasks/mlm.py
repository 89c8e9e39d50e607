"""Masked language modelling: masked tokens of a whole document are predicted from those around them.

Shape legend: L tokens of a document.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import NO_LABEL, Document, Encoded, IntArray, Merged, Prediction
from ctxlab.tasks.forms.token_predictor import TokenPredictor
from ctxlab.tasks.text.encoding import encode_text
from ctxlab.tasks.text.subwords import frame

HIDDEN_SHARE, REPLACED_SHARE = 0.8, 0.1
"""Fractions of the chosen tokens that become the mask token and a random one; the rest stays but is predicted too."""


@dataclass(frozen=True, slots=True, eq=False)
class _Tokens:
    """The properties of a tokenizer that masking needs."""

    mask_id: int
    ordinary: IntArray
    """Ids of all tokens but the special ones."""


class MLM(TokenPredictor):
    """Masked tokens as in BERT (Devlin et al. 2019, arXiv:1810.04805).

    A fraction ``masked_share`` of a document's tokens is chosen, at least one; of these 80 % become the mask token,
    10 % a random one and 10 % stay. Deviations: the fraction is of the document, not of each window, and exact up to
    rounding; training documents are masked anew every epoch, as in RoBERTa (arXiv:1907.11692). In evaluation the choice
    depends only on the document's id, so that all models with the same tokenizer predict the same tokens.
    """

    name = "mlm"
    takes_beside = False
    head = "masked_lm"
    kinds = frozenset({"encoder"})
    metric = "masked"
    primary_metric = "pseudo_perplexity"

    def __init__(self, text_field: str = "text", masked_share: float = 0.15, language: str | None = None) -> None:
        if not 0 < masked_share < 1:
            raise UserError(f"task.masked_share={masked_share} is not a fraction: give a number between 0 and 1.")
        super().__init__(text_field, language)
        self._masked_share = masked_share
        self._tokens: _Tokens | None = None

    @property
    def encode_options(self) -> tuple[Any, ...]:
        """Return the fraction that is masked."""
        return (self._masked_share,)

    def prepare(self, tokenizer: Any) -> None:
        """Store the mask token and the possible random tokens; raises UserError where there is no mask token."""
        super().prepare(tokenizer)
        self._tokens = _tokens_of(tokenizer)

    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Return whole documents as token ids, masked with a seed from their id; labels are the original tokens."""
        before, after = frame(tokenizer)
        tokens, encoded = _tokens_of(tokenizer), []
        for document in documents:
            text = encode_text(tokenizer, document.fields["text"], document.fields.get("language", ""))
            plain = text.encoded(text.labelled(NO_LABEL), before=before, after=after)
            encoded.append(_masked(plain, self._masked_share, tokens, _seed_of(document.id)))
        return encoded

    def resample(self, encoded: Encoded, seed: int) -> Encoded:
        """Return the document with other tokens masked."""
        assert self._tokens is not None, "prepare comes first"
        return _masked(encoded, self._masked_share, self._tokens, seed)

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """Return the ``TokenScores`` of the masked tokens."""
        asked = np.flatnonzero(encoded.labels != NO_LABEL)
        return self.scored(document, encoded, merged, asked=asked, at=asked)


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
    return _Tokens(int(tokenizer.mask_token_id), ordinary)
