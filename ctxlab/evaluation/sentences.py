"""Baseline answers without a model: the first sentence of a context, and the sentence nearest to the question."""

from functools import lru_cache

import numpy as np

from ctxlab.tasks.text.structure import sentence_places
from ctxlab.text.index import Bm25Index
from ctxlab.text.language import language_of

K1 = 1.5
"""Saturation of BM25: as common as 1.2 (``strategy.reading.method=bm25``), kept so that figures stay comparable."""

KEPT_TEXTS = 1024
"""Size of the caches of contexts and questions, as a training run evaluates the same ones many times."""


@lru_cache(KEPT_TEXTS)
def sentences(text: str) -> tuple[str, ...]:
    """Return the sentences and headings of ``text`` (``tasks.text.structure``), at least one."""
    pieces = (text[start:end].strip() for start, end in sentence_places(text))
    return tuple(piece for piece in pieces if piece) or (text.strip(),)


def first_sentence(context: str) -> str:
    """Return the first sentence of a context."""
    return sentences(context)[0]


@lru_cache(KEPT_TEXTS * 16)
def nearest_sentence(context: str, question: str, language: str = "") -> str:
    """Return the sentence with the highest BM25 score for the question; the first of equals.

    Words are normalised as for comparing answers, in the given language or else that of the context's script.
    """
    language = language_of(language, context)
    scores = _index(context, language).scores(question, K1)
    return sentences(context)[int(np.argmax(scores))]


@lru_cache(KEPT_TEXTS)
def _index(context: str, language: str) -> Bm25Index:
    return Bm25Index(sentences(context), language)
