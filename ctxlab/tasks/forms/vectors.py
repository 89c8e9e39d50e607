"""What is kept of a text that was read, and how texts are compared by it.

Shape legend: L tokens of a text, T of them read, P vectors kept of it, H width, Q queries, D documents.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctxlab.core.types import BoolArray, FloatArray, IntArray
from ctxlab.tasks.forms.embedding import unit

COMBINE = ("mean", "max", "max_sim")
"""Values of ``task.combine``: one vector of a document, one a passage, one a token."""

UNREAD = -1.0
"""Score of a document of which nothing was read: no cosine is lower."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """The vectors of one text, of length 1."""

    vectors: FloatArray
    """(P, H); none where nothing was read."""
    seen: BoolArray
    """(L,)"""
    places: tuple[IntArray, ...] = ()
    """Starts and ends (L,) of the tokens of a document, in characters; empty for a query."""

    @property
    def num_tokens(self) -> int:
        """Return the tokens of the text."""
        return len(self.seen)

    @property
    def num_seen(self) -> int:
        """Return how many of them were read."""
        return int(self.seen.sum())


def held(outputs: FloatArray, seen: BoolArray, rule: str, passage_tokens: int) -> Held:
    """Return what is kept of states (L, H): their mean, that of each run of ``passage_tokens`` tokens, or all.

    Args:
        outputs: (L, H) states of the tokens.
        seen: (L,) which of them were read.
        rule: ``mean``, ``max`` or ``max_sim``.
        passage_tokens: Tokens of a passage, counted in the text; a passage is the mean of those that were read.
    """
    states = outputs[seen]
    if rule == "max_sim" or not len(states):
        return Held(unit(states).astype(np.float16), seen)
    size = len(seen) if rule == "mean" else passage_tokens
    passage = np.flatnonzero(seen) // size
    starts = np.flatnonzero(np.diff(passage, prepend=-1))
    return Held(unit(np.add.reduceat(states.astype(np.float32), starts, axis=0)), seen)


def ranked(queries: Sequence[Held], documents: Sequence[Held]) -> FloatArray:
    """Return (Q, D): the mean over the vectors of a query of the highest cosine with a vector of a document."""
    scores = np.full((len(queries), len(documents)), UNREAD, np.float32)
    rows = [i for i, one in enumerate(queries) if len(one.vectors)]
    if not rows:
        return scores
    asked = np.concatenate([queries[i].vectors for i in rows]).astype(np.float32)
    sizes = np.asarray([len(queries[i].vectors) for i in rows])
    starts = np.cumsum(sizes) - sizes
    for column, document in enumerate(documents):
        if len(document.vectors):
            best = (asked @ document.vectors.astype(np.float32).T).max(axis=1)
            scores[rows, column] = np.add.reduceat(best, starts) / sizes
    return scores
