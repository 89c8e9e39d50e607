"""Texts of words in random order."""

from collections.abc import Sequence

import numpy as np

from ctxlab.corpora.grammar.draw import Draw


def shuffled_text(
    words: Sequence[str], counts: Sequence[int], asked: Sequence[str], draw: Draw
) -> tuple[str, list[list[int]]]:
    """Return words in random order, and the spans of those asked for.

    Args:
        words: Different words of the same length.
        counts: How often each occurs.
        asked: Words asked for, which are the first of ``words``.
        draw: Random generator.
    """
    numbers = np.repeat(np.arange(len(words)), counts)
    order = numbers[draw.different(len(numbers), len(numbers))]
    width = len(words[0]) + 1
    places = np.flatnonzero(order < len(asked)) * width  # those asked for are the first
    listed = np.asarray(words, dtype=object)[order].tolist()
    return " ".join(listed), np.stack([places, places + width - 1], axis=-1).tolist()
