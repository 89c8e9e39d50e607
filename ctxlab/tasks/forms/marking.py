"""Answers that occur in a text: every token gets a score, and the words with the best scores are the answer.

Shape legend: L tokens of a document, W tokens of a window, B windows of a batch.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from ctxlab.core.task import Loss, Predicted
from ctxlab.core.types import NO_LABEL, Encoded, FloatArray, IntArray, Merged
from ctxlab.tasks.records.evidence import evidence_tokens
from ctxlab.text.units import Span, bare, has_single, is_punctuation, is_single, word_spans

MARKED = 1

NOWHERE = -1e30
"""Score of a token that is no position: its probability is 0, and differences of such scores are finite."""

MOST_SINGLE = 8
"""Longest word in characters where a script has no blanks: longer words are rare."""


def marks(encoded: Encoded, spans: Sequence[Sequence[int]]) -> IntArray:
    """Return (L,) ``MARKED`` for tokens in ``spans`` (first and last character, the latter not included), else 0."""
    labels = np.zeros(len(encoded), np.int64)
    for start, end in spans:
        labels[evidence_tokens(encoded, start, end)] = MARKED
    return labels


def loss(outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
    """Return the cross entropy over the positions of a window, summed over windows, in fp32.

    The target distribution is uniform over the marked tokens. Outputs (B, W, 1), labels (B, W). Positions are the
    text's tokens and the window's first token, which is the target where no token is marked. That makes the scores of
    different windows comparable, as they are taken relative to it (``reduce_outputs``).
    """
    places, marked = _targets(labels)
    scores = outputs[..., 0].float()
    right = (scores * marked).sum(dim=1) / marked.sum(dim=1)
    each = scores.masked_fill(~places, -torch.inf).logsumexp(dim=1) - right
    return Loss(each.sum(), torch.tensor(len(each), device=each.device))


def predicted(outputs: torch.Tensor, labels: torch.Tensor) -> Predicted:
    """Return the distribution over positions of each window, in fp32; outputs (B, W, 1), labels (B, W)."""
    places, marked = _targets(labels)
    scores = outputs[..., 0].float().masked_fill(~places, NOWHERE)
    gold = marked / marked.sum(dim=1, keepdim=True)
    return Predicted(scores, gold, scores.new_ones(len(scores)))


def _targets(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (B, W) which tokens of labels (B, W) are positions, and which of them are targets."""
    places, marked = labels != NO_LABEL, labels == MARKED
    places[:, 0] = True
    marked[:, 0] = ~marked.any(dim=1)
    return places, marked


def reduce_outputs(outputs: torch.Tensor) -> torch.Tensor:
    """Return (B, W, 1) scores relative to that of the window's first token."""
    return outputs.float() - outputs[:, :1].float()


def best_words(text: str, encoded: Encoded, merged: Merged, count: int) -> list[str]:
    """Return the ``count`` different words with the best scores, the best first.

    A word's score is that of its best token at any occurrence. Words are those of ``ctxlab.text.units`` without
    surrounding punctuation, compared without case. Where a script has no blanks, a word is extended by adjacent
    characters as long as their scores are positive, to at most ``MOST_SINGLE`` characters. The number of words is
    fixed, so that marking everything gains nothing.

    Args:
        text: The document's text.
        encoded: Its tokens.
        merged: Scores of its tokens.
        count: Number of words to return.
    """
    spans, scores = word_spans(text), _scores(encoded, merged)
    found: list[str] = []
    for word in _by_score(encoded, merged):
        first, last = _run_around(text, spans, scores, word)
        name = bare(text[spans[first][0] : spans[last][1]])
        if name and name.lower() not in (other.lower() for other in found):
            found.append(name)
        if len(found) == count:
            break
    return found


def _run_around(text: str, spans: Sequence[Span], scores: FloatArray, word: int) -> tuple[int, int]:
    """Return the first and last word of the marked run around ``word``: only itself where words have blanks."""
    first = last = word
    while last - first + 1 < MOST_SINGLE:
        left = first - 1 if first and _joins(text, spans[first - 1], spans[first]) else word
        right = last + 1 if last + 1 < len(scores) and _joins(text, spans[last], spans[last + 1]) else word
        best = max((i for i in (left, right) if i != word and scores[i] > 0), key=lambda i: scores[i], default=None)
        if best is None:
            break
        first, last = min(first, best), max(last, best)
    return first, last


def _joins(text: str, left: Span, right: Span) -> bool:
    """Whether two words are characters of a script without blanks with nothing between them."""
    ends_in_letter = not is_punctuation(text[left[1] - 1])
    return left[1] == right[0] and ends_in_letter and has_single(text[slice(*left)]) and is_single(text[right[0]])


def _scores(encoded: Encoded, merged: Merged) -> FloatArray:
    """Return (words,) best score of the tokens of each word, -inf where none was seen."""
    scores = np.full(int(encoded.word_ids.max(initial=-1)) + 1, -np.inf, np.float32)
    np.maximum.at(scores, encoded.word_ids[merged.seen], merged.outputs[merged.seen, 0])
    return scores


def _by_score(encoded: Encoded, merged: Merged) -> Iterator[int]:
    """Return the words that were seen, the best first."""
    seen = np.flatnonzero(merged.seen)
    order = np.argsort(-merged.outputs[seen, 0], kind="stable")
    yield from encoded.word_ids[seen[order]].tolist()
