"""The sentences that say most, in the document's order, as many as fit the context."""

from collections.abc import Callable

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import Encoded, IntArray, Window
from ctxlab.strategies.reading.choosing.keeping import (
    Keeping,
    Remembered,
    best_units,
    digest,
    one_window,
    sentence_starts,
    terms_of,
)
from ctxlab.strategies.reading.choosing.ranking import Numbers, bm25, centrality, count_terms, textrank
from ctxlab.strategies.reading.windows.framing import room

Rank = Callable[["Select", Encoded, IntArray], Numbers]
"""Scores (S,) of the sentences that begin at the given tokens (S,)."""


class Select(Keeping):
    """Ranks sentences and keeps the best ones; the one at which the context is full is cut there.

    Methods: ``centrality`` (sum of the TF-IDF cosines with all other sentences), ``textrank`` (Mihalcea & Tarau 2004),
    ``bm25`` (Robertson et al. 1994) against what is asked of the document, or against its own opening where nothing
    is, ``lead`` (the first ones: the same as truncate) and ``random`` (a control: an order drawn from the document and
    the seed). Sources and details in ``ranking``. Deviations: terms are the tokenizer's tokens, neither stemmed nor
    freed of stop words; characters that the tokenizer does not know, or reads in bytes, are terms of their own.
    Sentences are those that the data marks, else stretches of ``sentence_tokens`` tokens.
    """

    def __init__(
        self, method: str = "textrank", opening_tokens: int = 64, sentence_tokens: int = 32, seed: int = 0
    ) -> None:
        """Take the ranking, tokens of the opening that stands in for a query and of a stretch, and a seed."""
        if method not in METHODS:
            raise UserError(f"strategy.reading.method={method} is not one of {', '.join(METHODS)}.")
        for name, value in (("opening_tokens", opening_tokens), ("sentence_tokens", sentence_tokens)):
            if value < 1:
                raise UserError(f"strategy.reading.{name}={value} must be at least 1 token.")
        if seed < 0:
            raise UserError(f"strategy.reading.seed={seed} must be 0 or more.")
        self.method, self.opening_tokens, self.sentence_tokens, self.seed = (
            method, opening_tokens, sentence_tokens, seed,
        )  # fmt: skip
        self._remembered = Remembered()

    def windows(self, encoded: Encoded, length: int) -> list[Window]:
        """One window that is full, or the whole document; none for a document without tokens."""
        fits = room(encoded, self.longest(length), length)
        if len(encoded) <= fits:
            return one_window(encoded, np.arange(len(encoded)))
        starts = sentence_starts(encoded, self.sentence_tokens)
        scores = self._remembered.get(encoded, None, lambda: METHODS[self.method](self, encoded, starts))
        return one_window(encoded, best_units(starts, scores, len(encoded), fits))


def _bm25(part: Select, encoded: Encoded, starts: IntArray) -> Numbers:
    query = encoded.query_terms or encoded.query or terms_of(encoded)[: part.opening_tokens]
    return bm25(count_terms(terms_of(encoded), starts), query)


def _random(part: Select, encoded: Encoded, starts: IntArray) -> Numbers:
    drawn_from = [part.seed, *digest(encoded)]
    return np.random.default_rng(drawn_from).random(len(starts))


METHODS: dict[str, Rank] = {
    "centrality": lambda _, encoded, starts: centrality(count_terms(terms_of(encoded), starts)),
    "textrank": lambda _, encoded, starts: textrank(count_terms(terms_of(encoded), starts)),
    "bm25": _bm25,
    "lead": lambda _, __, starts: -np.arange(len(starts), dtype=np.float64),
    "random": _random,
}
