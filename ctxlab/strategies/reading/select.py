"""The highest-ranked sentences, in document order, as many as fit the context."""

from collections.abc import Callable

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import Encoded, IntArray, Window
from ctxlab.strategies.reading.choosing.keeping import (
    PartialReading,
    ScoreCache,
    best_units,
    digest,
    one_window,
    sentence_starts,
    terms_of,
)
from ctxlab.strategies.reading.choosing.ranking import Numbers, bm25, centrality, count_terms, textrank
from ctxlab.strategies.reading.windows.framing import room

Rank = Callable[["Select", Encoded, IntArray], Numbers]
"""Returns scores (S,) of the sentences that begin at the given tokens (S,)."""


class Select(PartialReading):
    """Ranks sentences and keeps the best ones; the sentence at which the context is full is cut there.

    Methods: ``centrality`` (sum of TF-IDF cosines with all other sentences), ``textrank`` (Mihalcea & Tarau 2004),
    ``bm25`` (Robertson et al. 1994) for the query of the document, or for its own opening if it has none, ``lead``
    (the first sentences: the same as truncate) and ``random`` (a control: an order drawn from document and seed).
    Sources and details are in ``ranking``. Deviations: terms are the tokenizer's tokens, without stemming or removal
    of stop words; characters that are unknown to the tokenizer, or are encoded as bytes, are terms of their own.
    Sentences are those marked in the data, else spans of ``sentence_tokens`` tokens.
    """

    def __init__(
        self, method: str = "textrank", opening_tokens: int = 64, sentence_tokens: int = 32, seed: int = 0
    ) -> None:
        """Build the reading.

        Args:
            method: How sentences are ranked: centrality, textrank, bm25, lead or random.
            opening_tokens: Tokens of the document's opening that replace a missing query (bm25).
            sentence_tokens: Tokens of a span that replaces a sentence where the data marks none.
            seed: Seed of ``random``.

        Raises:
            UserError: A value is out of range or unknown.
        """
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
        self._score_cache = ScoreCache()

    def windows(self, encoded: Encoded, length: int) -> list[Window]:
        """Return one full window, or the whole document; none for a document without tokens."""
        fits = room(encoded, self.longest(length), length)
        if len(encoded) <= fits:
            return one_window(encoded, np.arange(len(encoded)))
        starts = sentence_starts(encoded, self.sentence_tokens)
        scores = self._score_cache.get(encoded, None, lambda: METHODS[self.method](self, encoded, starts))
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
