"""The base class of readings that leave parts of a document out, and the choice of the units that they keep.

Shape legend: L tokens of a document, S sentences.
"""

import hashlib
from abc import ABC
from collections.abc import Callable, Sequence

import numpy as np

from ctxlab.core.types import SENTENCE, Encoded, FloatArray, IntArray, Merged, Window
from ctxlab.strategies.reading.choosing.ranking import Numbers
from ctxlab.strategies.reading.windows import merging
from ctxlab.strategies.reading.windows.base import BaseReading
from ctxlab.strategies.reading.windows.framing import frame


class PartialReading(BaseReading, ABC):
    """Reads one window with some tokens of the document, in order, at consecutive positions; the rest is not seen."""

    contiguous = False
    covers = False

    def merge(self, windows: Sequence[Window], outputs: Sequence[FloatArray], num_tokens: int) -> Merged:
        """Map outputs back; tokens that were left out count as not seen."""
        return merging.first(windows, outputs, num_tokens)


def one_window(encoded: Encoded, kept: IntArray) -> list[Window]:
    """Return the window with these tokens, or none for a document without tokens."""
    return [frame(encoded, kept)] if len(kept) else []


def sentence_starts(encoded: Encoded, sentence_tokens: int) -> IntArray:
    """Return (S,): first tokens of the marked sentences, or of spans of ``sentence_tokens`` where none is marked.

    Tokens before the first mark form a sentence of their own.
    """
    marked = np.flatnonzero(encoded.marks & SENTENCE)
    if len(marked):
        return np.union1d(marked, [0]).astype(np.int64)
    return np.arange(0, len(encoded), sentence_tokens)


def terms_of(encoded: Encoded) -> IntArray:
    """Return (L,): the terms by which tokens are ranked, see ``Encoded.terms``."""
    return encoded.terms if len(encoded.terms) else encoded.input_ids


def best_units(starts: IntArray, scores: Numbers, num_tokens: int, room: int) -> IntArray:
    """Return the tokens of the units with the highest scores, in document order: exactly ``room`` of them, or all.

    The last unit is cut so that the number is met. Of units with equal scores the earlier one is taken first.

    Args:
        starts: (S,) first token of each unit; the first unit starts at 0.
        scores: (S,) score of each unit.
        num_tokens: Tokens of the document (L).
        room: Number of tokens to keep.
    """
    sizes = np.diff(starts, append=num_tokens)  # (S,)
    ranked = np.argsort(-scores, kind="stable")
    before = np.cumsum(sizes[ranked]) - sizes[ranked]  # (S,) tokens of higher-ranked units
    kept = np.zeros(len(starts), dtype=np.int64)  # (S,) tokens kept of each unit
    kept[ranked] = np.clip(room - before, 0, sizes[ranked])
    place = np.arange(num_tokens) - np.repeat(starts, sizes)  # (L,) index within the unit
    return np.flatnonzero(place < np.repeat(kept, sizes))


MOST_CACHED = 20_000
"""Documents whose scores are cached: more than most corpora have; a bound where masking changes tokens every epoch."""


class ScoreCache:
    """A cache of document scores, keyed by a hash of what they are computed from; the oldest entries are dropped."""

    def __init__(self) -> None:
        self._scores: dict[bytes, Numbers] = {}

    def get(self, encoded: Encoded, under: object, make: Callable[[], Numbers]) -> Numbers:
        """Return the scores of a document, computed by ``make`` where they are not cached.

        Args:
            encoded: The document.
            under: What else the scores depend on; its ``repr`` becomes part of the key.
            make: Computes the scores.
        """
        key = digest(encoded, under)
        if key not in self._scores:
            self._scores[key] = make()
            if len(self._scores) > MOST_CACHED:
                del self._scores[next(iter(self._scores))]
        return self._scores[key]


def digest(encoded: Encoded, under: object = None) -> bytes:
    """Return a hash (16 bytes) of a document's tokens, marks and query, and of the ``repr`` of ``under``."""
    state = hashlib.blake2b(repr((under, encoded.query, encoded.query_terms, len(encoded))).encode(), digest_size=16)
    state.update(np.ascontiguousarray(encoded.input_ids).tobytes())
    state.update(np.ascontiguousarray(encoded.terms).tobytes())
    state.update(np.ascontiguousarray(encoded.marks).tobytes())
    return state.digest()
