"""Answers that stand in a text: every token gets a score, and the words with the best ones are given.

Shape legend: L tokens of a document, W tokens of a window, B windows of a batch.
"""

import string
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from ctxlab.core.task import Loss
from ctxlab.core.types import NO_LABEL, Encoded, IntArray, Merged
from ctxlab.tasks.records.evidence import evidence_tokens

MARKED = 1


def marks(encoded: Encoded, spans: Sequence[Sequence[int]]) -> IntArray:
    """(L,) ``MARKED`` for the tokens of all ``spans`` (first and last character, the latter not included), else 0."""
    labels = np.zeros(len(encoded), np.int64)
    for start, end in spans:
        labels[evidence_tokens(encoded, start, end)] = MARKED
    return labels


def loss(outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
    """Cross entropy of the places of a window against an even share for each marked one, summed over windows, in fp32.

    Outputs (B, W, 1), labels (B, W). The places are the text's tokens and the window's first one, which is right where
    no token is marked, so that scores of different windows compare: they are taken above it (``observe``).
    """
    places, marked = labels != NO_LABEL, labels == MARKED
    places[:, 0] = True
    marked[:, 0] = ~marked.any(dim=1)
    scores = outputs[..., 0].float()
    right = (scores * marked).sum(dim=1) / marked.sum(dim=1)
    each = scores.masked_fill(~places, -torch.inf).logsumexp(dim=1) - right
    return Loss(each.sum(), torch.tensor(len(each), device=each.device))


def observe(outputs: torch.Tensor) -> torch.Tensor:
    """(B, W, 1) scores above that of the window's first place."""
    return outputs.float() - outputs[:, :1].float()


def best_words(text: str, encoded: Encoded, merged: Merged, count: int) -> list[str]:
    """The ``count`` different words with the best scores, the best first; a word has that of its best token anywhere.

    Words are runs of visible characters without the punctuation around them, and compare without case. As many are
    given as are asked for, so that marking everything gains nothing.
    """
    words = text.split()
    found: list[str] = []
    for word in _by_score(encoded, merged):
        name = words[word].strip(string.punctuation)
        if name and name.lower() not in (other.lower() for other in found):
            found.append(name)
        if len(found) == count:
            break
    return found


def _by_score(encoded: Encoded, merged: Merged) -> Iterator[int]:
    """Words that were seen, the best first."""
    seen = np.flatnonzero(merged.seen)
    order = np.argsort(-merged.outputs[seen, 0], kind="stable")
    yield from encoded.word_ids[seen[order]].tolist()
