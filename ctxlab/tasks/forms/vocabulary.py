"""What tasks share whose answers are tokens of the vocabulary: loss, and what is kept of the logits.

Shape legend: B windows of a batch, W tokens of a window, V tokens of the vocabulary, N tokens to be told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ctxlab.core.task import Loss
from ctxlab.core.types import NO_LABEL, BoolArray, FloatArray, IntArray

ROWS_AT_ONCE = 512
"""Tokens whose logits are held in fp32 at the same time: 100 MB for a vocabulary of 50,000."""


@dataclass(frozen=True, slots=True, eq=False)
class TokenScores:
    """How well a model told the tokens of one document."""

    nll: FloatArray
    """(N,) negative log likelihood of each in nats; that of the uniform distribution where it was not seen."""
    correct: BoolArray
    """(N,) whether it was the likeliest; never where it was not seen."""
    seen: BoolArray
    """(N,) whether the model was asked for it."""
    position: IntArray
    """(N,) its place in the document, in tokens."""
    characters: IntArray
    """(N,) characters that it adds to those before it; see ``text.added_characters``."""
    starts: IntArray
    """(N,) its first character."""
    ends: IntArray
    """(N,) the character behind it."""
    num_tokens: int
    """Of the whole document."""


def cross_entropy(outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
    """Summed over labelled tokens, in fp32; outputs (B, W, V), labels (B, W).

    Beside the logits only their gradient is held, in their own precision, and a slice in fp32.
    """
    total = _SlicedCrossEntropy.apply(outputs.flatten(0, 1), labels.flatten())
    return Loss(total, (labels != NO_LABEL).sum().float())


class _SlicedCrossEntropy(torch.autograd.Function):
    """Sum over labelled rows of logits (N, V); the gradient is made on the way, slice by slice."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        gradient = torch.zeros_like(logits) if ctx.needs_input_grad[0] else None
        total = logits.new_zeros((), dtype=torch.float32)
        for rows in _labelled(labels):
            gold = labels[rows, None]
            values = F.log_softmax(logits[rows].float(), dim=-1)
            total -= values.gather(1, gold).sum()
            if gradient is not None:
                values.exp_().scatter_add_(1, gold, values.new_full(gold.shape, -1.0))
                gradient[rows] = values.to(gradient.dtype)
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *outer: torch.Tensor) -> tuple[torch.Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient.mul_(outer[0]), None  # in place: a second way back is an error, not a wrong number


def observe(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """(B, W, 2) of outputs (B, W, V): negative log likelihood of the label, and 1 where it is the likeliest token.

    Both are 0 where there is no label. Beside the logits only a slice in fp32 is held.
    """
    logits, flat = outputs.flatten(0, 1), labels.flatten()
    found = logits.new_zeros((len(flat), 2), dtype=torch.float32)
    for rows in _labelled(flat):
        part, gold = logits[rows].float(), flat[rows]
        found[rows, 0] = F.cross_entropy(part, gold, reduction="none")
        found[rows, 1] = (part.argmax(dim=-1) == gold).float()
    return found.view(*labels.shape, 2)


def _labelled(labels: torch.Tensor) -> Sequence[torch.Tensor]:
    """Indices of labelled rows (N,), a slice at a time."""
    rows: Sequence[torch.Tensor] = (labels != NO_LABEL).nonzero()[:, 0].split(ROWS_AT_ONCE)
    return rows


def charge_unseen(nll: FloatArray, seen: BoolArray, vocabulary_size: int) -> FloatArray:
    """``nll`` with log V for every token that was not seen: a model that never looked knows nothing.

    So a truncated evaluation cannot look better than one that reads on, as long as reading is better than guessing.
    """
    return np.where(seen, nll, np.float32(np.log(vocabulary_size)))


def charge_unknown(nll: FloatArray, unknown: BoolArray, characters: IntArray, vocabulary_size: int) -> FloatArray:
    """``nll`` with log V a character for every unknown token, as if none of its characters had been read.

    To tell an unknown token is to tell nothing of the text, and a text of nothing else would cost nothing.

    Args:
        nll: (N,) nats of each token.
        unknown: (N,) whether it is the unknown token.
        characters: (N,) that it stands for.
        vocabulary_size: V
    """
    charged = np.maximum(characters, 1) * np.log(vocabulary_size)
    return np.where(unknown, charged.astype(np.float32), nll)
