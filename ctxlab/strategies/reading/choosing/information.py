"""The self-information of tokens, −log p: under the token frequencies of a corpus, or under a causal language model.

Shape legend: L tokens of a document, V tokens of the vocabulary, W tokens of a window.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ctxlab.core.architecture import is_causal, output_layer
from ctxlab.core.quiet import evaluating
from ctxlab.core.types import Encoded, IntArray
from ctxlab.strategies.reading.choosing.ranking import Numbers


class Frequencies(torch.nn.Module):
    """Counts of each token in the training documents; integers, saved and loaded with the model."""

    counts: torch.Tensor
    """(V,)"""

    def __init__(self, num_tokens: int) -> None:
        super().__init__()
        self.register_buffer("counts", torch.zeros(num_tokens, dtype=torch.int64))

    def learn(self, encoded: Sequence[Encoded]) -> None:
        """Add the tokens of ``encoded`` to the counts."""
        for document in encoded:
            self.counts += torch.from_numpy(count(document.input_ids, len(self.counts))).to(self.counts.device)

    @property
    def known(self) -> bool:
        """Whether any counts were collected or loaded."""
        return bool(self.counts.any())


def count(ids: IntArray, num_tokens: int) -> IntArray:
    """Return (V,): occurrences of each token in ids (L,)."""
    return np.bincount(ids, minlength=num_tokens).astype(np.int64)


def self_information(ids: IntArray, counts: IntArray) -> Numbers:
    """Return (L,): −log p in nats under counts (V,) with add-one smoothing."""
    information: Numbers = math.log(counts.sum() + len(counts)) - np.log(counts[ids] + 1.0)
    return information


def is_language_model(model: Any) -> bool:
    """Return whether ``model`` is a causal language model."""
    return is_causal(model) and output_layer(model) is not None


def model_self_information(model: Any, ids: IntArray, window: int) -> Numbers:
    """Return (L,): −log p in nats under a causal ``model``, in windows of ``window`` tokens with a stride of half that.

    From the second window on, scored tokens have at least half a window of context. The first token of the document
    has no context and gets the self-information of a uniform draw from the vocabulary.
    """
    device = next(model.parameters()).device
    num_tokens = output_layer(model).weight.shape[0]
    information = np.full(len(ids), math.log(num_tokens))
    step, done = max(window // 2, 1), 1
    with evaluating(model):
        for start in range(0, len(ids), step):
            own = torch.from_numpy(ids[start : start + window]).to(device)[None]
            logits = model(input_ids=own, attention_mask=torch.ones_like(own)).logits[0, :-1].float()
            losses = torch.nn.functional.cross_entropy(logits, own[0, 1:], reduction="none").cpu().numpy()
            information[done : start + own.shape[1]] = losses[done - start - 1 :]
            done = start + own.shape[1]
            if done >= len(ids):
                break
    return information
