"""Answers without a model, to hold a score against: the first sentence of a context, and the nearest to a question.

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
"""Of BM25: a value as usual as the 1.2 of ``strategy.reading.method=bm25``; figures of this baseline keep it."""

KEPT_TEXTS = 1024
"""Contexts and questions whose sentences are kept, as a model is scored many times while it is trained."""


@lru_cache(KEPT_TEXTS)
def sentences(text: str) -> tuple[str, ...]:
    """Sentences and headings of ``text`` (``tasks.text.structure``), at least one."""
    pieces = (text[start:end].strip() for start, end in sentence_places(text))
    return tuple(piece for piece in pieces if piece) or (text.strip(),)


def first_sentence(context: str) -> str:
    """The first sentence of a context."""
    return sentences(context)[0]


@lru_cache(KEPT_TEXTS * 16)
def nearest_sentence(context: str, question: str, language: str = "") -> str:
    """The sentence of the highest BM25 score for the question; the first of equals.

    Words are those that answers are compared by, in the language that is given or that the script of the context says.
    """
    language = language_of(language, context)
    index = _index(context, language)
    asked = Counter(words(question, language))
    scores = index.scores(asked)
    return sentences(context)[int(np.argmax(scores))]


@dataclass(frozen=True, slots=True, eq=False)
class _Index:
    """Words of the sentences of one context."""

    words: dict[str, int]
    """Each with its number."""
    sentence: IntArray
    """(P,)"""
    word: IntArray
    """(P,)"""
    count: Numbers
    """(P,)"""
    sizes: IntArray
    """(S,) words of each sentence."""

    def scores(self, asked: Counter[str]) -> Numbers:
        """(S,) BM25 for a question with these words."""
        times = np.asarray([asked[word] for word in self.words], np.float64)
        return bm25(self.sentence, self.word, self.count, self.sizes, times, K1)


@lru_cache(KEPT_TEXTS)
def _index(context: str, language: str) -> _Index:
    counts = [Counter(words(sentence, language)) for sentence in sentences(context)]
    numbers = {word: number for number, word in enumerate(dict.fromkeys(word for count in counts for word in count))}
    rows = [(i, numbers[word], n) for i, count in enumerate(counts) for word, n in count.items()]
    table = np.asarray(rows, np.int64).reshape(-1, 3)
    sizes = np.asarray([count.total() for count in counts], np.int64)
    return _Index(numbers, table[:, 0], table[:, 1], table[:, 2].astype(np.float64), sizes)
