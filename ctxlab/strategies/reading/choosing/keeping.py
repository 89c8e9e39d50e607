"""What readings that leave something out have in common: units of a document, and how many of the best fit.

Shape legend: L tokens of a document, S sentences.
"""

import hashlib
from abc import ABC
from collections.abc import Callable, Sequence

import numpy as np

from ctxlab.core.types import SENTENCE, Encoded, FloatArray, IntArray, Merged, Window
from ctxlab.strategies.reading.choosing.ranking import Numbers
from ctxlab.strategies.reading.windows import merging
from ctxlab.strategies.reading.windows.base import Base
from ctxlab.strategies.reading.windows.framing import frame


class Keeping(Base, ABC):
    """One window with a part of the document, in its order; the rest is not seen, and positions do not count it."""

    contiguous = False
    covers = False

    def merge(self, windows: Sequence[Window], outputs: Sequence[FloatArray], num_tokens: int) -> Merged:
        """What was left out is not seen."""
        return merging.first(windows, outputs, num_tokens)


def one_window(encoded: Encoded, kept: IntArray) -> list[Window]:
    """The window with these tokens, or none for a document without tokens."""
    return [frame(encoded, kept)] if len(kept) else []


def sentence_starts(encoded: Encoded, sentence_tokens: int) -> IntArray:
    """(S,) first tokens of the sentences as they are marked, or of stretches of ``sentence_tokens`` where none is.

    What stands before the first mark belongs to a sentence of its own.
    """
    marked = np.flatnonzero(encoded.marks & SENTENCE)
    if len(marked):
        return np.union1d(marked, [0]).astype(np.int64)
    return np.arange(0, len(encoded), sentence_tokens)


def terms_of(encoded: Encoded) -> IntArray:
    """(L,) what tokens are to a ranking."""
    return encoded.terms if len(encoded.terms) else encoded.input_ids


def best_units(starts: IntArray, scores: Numbers, num_tokens: int, room: int) -> IntArray:
    """Tokens of the units with the highest scores, in document order: exactly ``room`` of them, or all.

    The last unit that is taken is cut where the room ends. Of units with the same score the earlier one is taken.

    Args:
        starts: (S,) first token of each unit, the first one 0.
        scores: (S,)
        num_tokens: L
        room: Tokens that are kept.
    """
    sizes = np.diff(starts, append=num_tokens)
    ranked = np.argsort(-scores, kind="stable")
    before = np.cumsum(sizes[ranked]) - sizes[ranked]
    kept = np.zeros(len(starts), dtype=np.int64)
    kept[ranked] = np.clip(room - before, 0, sizes[ranked])
    place = np.arange(num_tokens) - np.repeat(starts, sizes)
    return np.flatnonzero(place < np.repeat(kept, sizes))


MOST_REMEMBERED = 20_000
"""Documents: more than most corpora have, and an end where every epoch sees other tokens (masked ones)."""


class Remembered:
    """Scores of documents that were seen before, by what they were made from; the oldest are let go."""

    def __init__(self) -> None:
        self._scores: dict[bytes, Numbers] = {}

    def get(self, encoded: Encoded, under: object, make: Callable[[], Numbers]) -> Numbers:
        """The scores that ``make`` gives for a document ``under`` what else decides them (its ``repr`` says it)."""
        key = digest(encoded, under)
        if key not in self._scores:
            self._scores[key] = make()
            if len(self._scores) > MOST_REMEMBERED:
                del self._scores[next(iter(self._scores))]
        return self._scores[key]


def digest(encoded: Encoded, under: object = None) -> bytes:
    """A document's tokens, marks and query, and the ``repr`` of what else matters, in 16 bytes."""
    state = hashlib.blake2b(repr((under, encoded.query, encoded.query_terms, len(encoded))).encode(), digest_size=16)
    state.update(np.ascontiguousarray(encoded.input_ids).tobytes())
    state.update(np.ascontiguousarray(encoded.terms).tobytes())
    state.update(np.ascontiguousarray(encoded.marks).tobytes())
    return state.digest()
