"""Baseline answers without a model: the first sentence of a context, and the sentence nearest to the question.

Shape legend: S sentences, T different words of a context, P pairs of a sentence and a word in it.
"""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ctxlab.core.types import IntArray
from ctxlab.tasks.text.structure import sentence_places
from ctxlab.text.answers import words
from ctxlab.text.bm25 import Numbers, bm25
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
    index = _index(context, language)
    asked = Counter(words(question, language))
    scores = index.scores(asked)
    return sentences(context)[int(np.argmax(scores))]


@dataclass(frozen=True, slots=True, eq=False)
class _Index:
    """The word counts of the sentences of one context."""

    words: dict[str, int]
    """Index of each word."""
    sentence: IntArray
    """(P,)"""
    word: IntArray
    """(P,)"""
    count: Numbers
    """(P,)"""
    sizes: IntArray
    """(S,) words of each sentence."""

    def scores(self, question: Counter[str]) -> Numbers:
        """Return (S,) BM25 scores for a question with these words."""
        counts = np.asarray([question[word] for word in self.words], np.float64)
        return bm25(self.sentence, self.word, count=self.count, sizes=self.sizes, query=counts, k1=K1)


@lru_cache(KEPT_TEXTS)
def _index(context: str, language: str) -> _Index:
    counts = [Counter(words(sentence, language)) for sentence in sentences(context)]
    numbers = {word: number for number, word in enumerate(dict.fromkeys(word for count in counts for word in count))}
    rows = [(i, numbers[word], n) for i, count in enumerate(counts) for word, n in count.items()]
    table = np.asarray(rows, np.int64).reshape(-1, 3)
    sizes = np.asarray([count.total() for count in counts], np.int64)
    return _Index(numbers, table[:, 0], word=table[:, 1], count=table[:, 2].astype(np.float64), sizes=sizes)
