"""Answers without a model, to hold a score against: the first sentence of a context, and the nearest to a question.

Shape legend: N sentences.
"""

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from ctxlab.core.types import SENTENCE
from ctxlab.evaluation.overlap import normalise
from ctxlab.tasks.text.structure import marks_of

K1, B = 1.5, 0.75
"""Usual constants of BM25: how soon more of a word adds no more, and how far a long sentence is held back."""

KEPT_TEXTS = 1024
"""Contexts and questions whose sentences are kept, as a model is scored many times while it is trained."""


@lru_cache(KEPT_TEXTS)
def sentences(text: str) -> tuple[str, ...]:
    """Sentences and headings of ``text`` (``tasks.structure``), at least one."""
    starts = np.flatnonzero(marks_of(text, np.arange(1, len(text) + 1)) & SENTENCE).tolist()
    pieces = (text[start:end].strip() for start, end in zip(starts, [*starts[1:], len(text)], strict=True))
    return tuple(piece for piece in pieces if piece) or (text.strip(),)


def first_sentence(context: str) -> str:
    """The first sentence of a context."""
    return sentences(context)[0]


@lru_cache(KEPT_TEXTS * 16)
def nearest_sentence(context: str, question: str) -> str:
    """The sentence of the highest BM25 score for the question; the first of equals."""
    counts, idf, mean = _index(context)
    scores = [_bm25(count, normalise(question).split(), idf, mean) for count in counts]
    return sentences(context)[int(np.argmax(scores))]


@lru_cache(KEPT_TEXTS)
def _index(context: str) -> tuple[list[Counter[str]], dict[str, float], float]:
    """Words of each sentence, weight of each word, and the mean length of a sentence."""
    counts = [Counter(normalise(sentence).split()) for sentence in sentences(context)]
    holding = Counter(word for count in counts for word in count)
    idf = {word: math.log(1 + (len(counts) - n + 0.5) / (n + 0.5)) for word, n in holding.items()}
    return counts, idf, sum(count.total() for count in counts) / len(counts)


def _bm25(count: Counter[str], question: Sequence[str], idf: dict[str, float], mean: float) -> float:
    """Robertson and Zaragoza 2009, with the logarithm of 1 + … that never falls below 0."""
    held = K1 * (1 - B + B * count.total() / mean) if mean else K1
    return sum(idf[word] * count[word] * (K1 + 1) / (count[word] + held) for word in question if word in count)
