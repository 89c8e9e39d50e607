"""The lengths of the documents, and which fraction of them fits each context.

Shape legend: N documents.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctxlab.core.types import NO_LABEL, Encoded, IntArray, Table


@dataclass(frozen=True, slots=True)
class Fit:
    """Fractions of documents, tokens and gold labels within the first ``context`` tokens of every document."""

    context: int
    documents: float
    """Fraction of the documents that fit completely."""
    tokens: float
    gold: float | None
    """Fraction of the gold labels; None if tokens have none."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Lengths of documents in tokens, without special tokens and questions."""

    num_documents: int
    median: int
    ninety_percent: int
    longest: int
    fits: tuple[Fit, ...]

    @property
    def sentence(self) -> str:
        """Description in one line."""
        return (
            f"{self.num_documents:,} documents: half have up to {self.median:,} tokens, 90 % up to "
            f"{self.ninety_percent:,}, the longest has {self.longest:,}."
        )

    @property
    def table(self) -> Table:
        """Table of what fits each context."""
        rows = [
            (fit.context, *(_percent(share) for share in (fit.documents, fit.tokens, fit.gold))) for fit in self.fits
        ]
        return Table("profile", "What fits each context", ("context", "documents", "tokens", "gold"), rows)


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%}"


def profile(documents: Sequence[Encoded], contexts: Sequence[int], outside: int | None = None) -> Profile:
    """Compute the lengths, and what fits each of the contexts.

    Args:
        documents: N, at least one.
        contexts: Context lengths in tokens.
        outside: Label of tokens outside gold spans; None if every label is gold.
    """
    lengths = np.asarray([len(document) for document in documents])
    rooms = [len(document.before) + len(document.after) for document in documents]
    gold = [_gold(document, outside) for document in documents]
    median, ninety = (int(np.quantile(lengths, share, method="inverted_cdf")) for share in (0.5, 0.9))
    fits = tuple(_fit(length, lengths, np.maximum(length - np.asarray(rooms), 0), gold) for length in contexts)
    return Profile(len(documents), median, ninety_percent=ninety, longest=int(lengths.max()), fits=fits)


def _gold(document: Encoded, outside: int | None) -> IntArray:
    """Return the positions of the gold labels."""
    return np.flatnonzero((document.labels != NO_LABEL) & (document.labels != outside))


def _fit(context: int, lengths: IntArray, fit: IntArray, gold: Sequence[IntArray]) -> Fit:
    num_gold = sum(map(len, gold))
    inside = sum(int((places < room).sum()) for places, room in zip(gold, fit, strict=True))
    return Fit(
        context=context,
        documents=float((lengths <= fit).mean()),
        tokens=float(np.minimum(lengths, fit).sum() / max(lengths.sum(), 1)),
        gold=inside / num_gold if num_gold else None,
    )
