"""Loss and reduced outputs shared by tasks that predict tokens of the vocabulary.

Shape legend: B windows of a batch, W tokens of a window, V tokens of the vocabulary, N tokens to predict.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ctxlab.core.slices import slice_of
from ctxlab.core.task import Loss, Predicted
from ctxlab.core.types import NO_LABEL, BoolArray, FloatArray, IntArray

ROWS_AT_ONCE = 512
"""Number of tokens whose fp32 logits are in memory at once: 100 MB for a vocabulary of 50,000."""


@dataclass(frozen=True, slots=True, eq=False)
class TokenScores:
    """How well a model predicted the tokens of one document."""

    nll: FloatArray
    """(N,) negative log likelihood in nats; that of the uniform distribution for unseen tokens."""
    correct: BoolArray
    """(N,) whether the token was the most likely one; False for unseen tokens."""
    seen: BoolArray
    """(N,) whether any window predicted the token."""
    position: IntArray
    """(N,) position in the document, in tokens."""
    characters: IntArray
    """(N,) characters that the token adds; see ``text.encoding.added_characters``."""
    starts: IntArray
    """(N,) first character."""
    ends: IntArray
    """(N,) index after the last character."""
    num_tokens: int
    """Number of tokens of the whole document."""


def cross_entropy(outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
    """Sum the cross entropy over labelled tokens in fp32; outputs (B, W, V), labels (B, W).

    Memory beyond the logits: their gradient, in their own precision, and one slice in fp32.
    """
    total = _SlicedCrossEntropy.apply(outputs.flatten(0, 1), labels.flatten())
    return Loss(total, (labels != NO_LABEL).sum().float())


class _SlicedCrossEntropy(torch.autograd.Function):
    """Sum over labelled rows of logits (N, V); the gradient is computed in the forward pass, slice by slice."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        gradient = torch.zeros_like(logits) if ctx.needs_input_grad[0] else None
        total = logits.new_zeros((), dtype=torch.float32)
        for rows in _labelled(labels):
            with slice_of(len(rows), ROWS_AT_ONCE):
                gold = labels[rows, None]  # (slice, 1)
                values = F.log_softmax(logits[rows].float(), dim=-1)  # (slice, V)
                total -= values.gather(1, gold).sum()
                if gradient is not None:  # softmax minus one-hot
                    values.exp_().scatter_add_(1, gold, values.new_full(gold.shape, -1.0))
                    gradient[rows] = values.to(gradient.dtype)
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *outer: torch.Tensor) -> tuple[torch.Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient.mul_(outer[0]), None  # in place: a second backward pass raises an error


def predicted(outputs: torch.Tensor, labels: torch.Tensor) -> Predicted:
    """Return the distribution of each labelled token in fp32; outputs (B, W, V), labels (B, W).

    Memory beyond the logits: all of it once more, in fp32.
    """
    known = labels != NO_LABEL
    return Predicted(outputs[known].float(), labels[known], torch.ones(int(known.sum()), device=outputs.device))


def reduce_outputs(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Reduce outputs (B, W, V) to (B, W, 2): negative log likelihood of the label, and 1 where it is the likeliest.

    Both are 0 where there is no label. Memory beyond the logits: one slice in fp32.
    """
    logits, flat = outputs.flatten(0, 1), labels.flatten()
    found = logits.new_zeros((len(flat), 2), dtype=torch.float32)
    for rows in _labelled(flat):
        part, gold = logits[rows].float(), flat[rows]
        found[rows, 0] = F.cross_entropy(part, gold, reduction="none")
        found[rows, 1] = (part.argmax(dim=-1) == gold).float()
    return found.view(*labels.shape, 2)


def _labelled(labels: torch.Tensor) -> Sequence[torch.Tensor]:
    """Return the indices of labelled rows in slices of at most ``ROWS_AT_ONCE``."""
    rows: Sequence[torch.Tensor] = (labels != NO_LABEL).nonzero()[:, 0].split(ROWS_AT_ONCE)
    return rows


def charge_unseen(nll: FloatArray, seen: BoolArray, vocabulary_size: int) -> FloatArray:
    """Return ``nll`` with log V, the cost of a uniform guess, for every unseen token.

    So a truncated evaluation cannot look better than one that reads everything, as long as reading beats guessing.
    """
    return np.where(seen, nll, np.float32(np.log(vocabulary_size)))


def charge_unknown(nll: FloatArray, unknown: BoolArray, characters: IntArray, vocabulary_size: int) -> FloatArray:
    """Return ``nll`` with log V per character for every unknown token, as if its characters had not been read.

    Predicting the unknown token says nothing about the text, and a text of unknown tokens only would cost nothing.

    Args:
        nll: (N,) nats of each token.
        unknown: (N,) whether it is the unknown token.
        characters: (N,) number of characters that it covers.
        vocabulary_size: V.
    """
    charged = np.maximum(characters, 1) * np.log(vocabulary_size)
    return np.where(unknown, charged.astype(np.float32), nll)
