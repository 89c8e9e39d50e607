"""An index of texts for lexical retrieval: Okapi BM25 over normalised words.

Shape legend: S texts, T different words, P pairs of a text and a word in it.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ctxlab.text.answers import words
from ctxlab.text.bm25 import K1, Numbers, bm25


class Bm25Index:
    """The word counts of some texts; words are normalised as for comparing answers (``ctxlab.text.answers``)."""

    def __init__(self, texts: Sequence[str], language: str = "") -> None:
        """Count the words of ``texts``; without a ``language`` each text's script decides how they are normalised."""
        self._language = language
        counts = [Counter(words(text, language)) for text in texts]
        self._words: dict[str, int] = {}
        """Index of each word."""
        for count in counts:
            for word in count:
                self._words.setdefault(word, len(self._words))
        rows = [(i, self._words[word], n) for i, count in enumerate(counts) for word, n in count.items()]
        table = np.asarray(rows, np.int64).reshape(-1, 3)
        order = np.argsort(table[:, 1], kind="stable")
        self._text, self._word, self._count = (table[order, column] for column in range(3))
        self._edges = np.searchsorted(self._word, np.arange(len(self._words) + 1))
        """First pair of each word: a query looks at the pairs of its own words only."""
        self._sizes = np.asarray([count.total() for count in counts], np.int64)

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self._sizes)

    def scores(self, query: str, k1: float = K1) -> Numbers:
        """Return (S,) the BM25 score of each text for a query, whose words count as often as they occur."""
        asked = Counter(words(query, self._language))
        known = [self._words[word] for word in asked if word in self._words]
        if not known:
            return np.zeros(len(self._sizes))
        parts = [np.arange(self._edges[word], self._edges[word + 1]) for word in known]
        pairs = np.concatenate(parts)
        return bm25(
            self._text[pairs],
            np.repeat(np.arange(len(known)), [len(part) for part in parts]),
            count=self._count[pairs].astype(np.float64),
            sizes=self._sizes,
            query=np.asarray([asked[word] for word in asked if word in self._words], np.float64),
            k1=k1,
        )
