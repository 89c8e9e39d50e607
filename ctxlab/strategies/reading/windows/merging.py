"""Rules that map window outputs back to the tokens of a document where windows overlap.

Shape legend: L tokens of the document, W tokens of a window, C outputs per token.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from ctxlab.core.types import BoolArray, FloatArray, IntArray, Merged, Window


def first(windows: Sequence[Window], outputs: Sequence[FloatArray], num_tokens: int) -> Merged:
    """Give each token the outputs of the first window that covers it."""
    total, seen = _empty(outputs, num_tokens)
    for index, values in _document_part(windows, outputs):
        new = ~seen[index]
        total[index[new]] = values[new]
        seen[index] = True
    return Merged(total, seen)


def mean(windows: Sequence[Window], outputs: Sequence[FloatArray], num_tokens: int) -> Merged:
    """Give each token the mean of the outputs (logits) over the windows that cover it."""
    total, seen = _empty(outputs, num_tokens)
    count = np.zeros(num_tokens, dtype=np.float32)
    for index, values in _document_part(windows, outputs):
        total[index] += values
        count[index] += 1
    seen = count > 0
    total[seen] /= count[seen, None]
    return Merged(total, seen)


def central(windows: Sequence[Window], outputs: Sequence[FloatArray], num_tokens: int) -> Merged:
    """Give each token the outputs of the window in which it is furthest from the ends (ties: the earlier window).

    The ends are those of the window's document tokens; there a token has the most context on both sides.
    """
    total, _ = _empty(outputs, num_tokens)
    furthest = np.full(num_tokens, -1, dtype=np.int64)
    for index, values in _document_part(windows, outputs):
        place = np.arange(len(index))
        distance = np.minimum(place, place[::-1])
        better = distance > furthest[index]
        total[index[better]] = values[better]
        furthest[index[better]] = distance[better]
    return Merged(total, furthest >= 0)


def left(windows: Sequence[Window], outputs: Sequence[FloatArray], num_tokens: int) -> Merged:
    """Give each token the outputs of the window in which most tokens come before it (ties: the earlier window).

    For causal models, whose context is the earlier tokens only: this is perplexity with a sliding window and a stride.
    """
    total, _ = _empty(outputs, num_tokens)
    most = np.full(num_tokens, -1, dtype=np.int64)
    for index, values in _document_part(windows, outputs):
        place = np.arange(len(index))
        better = place > most[index]
        total[index[better]] = values[better]
        most[index[better]] = place[better]
    return Merged(total, most >= 0)


def _empty(outputs: Sequence[FloatArray], num_tokens: int) -> tuple[FloatArray, BoolArray]:
    num_outputs = outputs[0].shape[1] if outputs else 0
    return np.zeros((num_tokens, num_outputs), dtype=np.float32), np.zeros(num_tokens, dtype=np.bool_)


def _document_part(windows: Sequence[Window], outputs: Sequence[FloatArray]) -> Iterator[tuple[IntArray, FloatArray]]:
    """Yield the document tokens of each window and their outputs, without special tokens."""
    for window, values in zip(windows, outputs, strict=True):
        real = window.token_index >= 0
        yield window.token_index[real], values[real]
