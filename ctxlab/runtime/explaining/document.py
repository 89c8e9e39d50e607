"""One document in front of a model, in the windows that its strategy reads, as mechanisms of explanation see it.

Shape legend: L tokens of a document, S variants or points of the way, T tokens whose outputs make a score, C outputs of
a token.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctxlab.core.explanation import Attended, Path, Subject, Target
from ctxlab.core.passes import Item
from ctxlab.core.types import BoolArray, DoubleArray, Encoded, FloatArray, IntArray, Window
from ctxlab.runtime.explaining import attention, gradients, reach, variants
from ctxlab.runtime.explaining.reads import Reads, Reduce
from ctxlab.runtime.reader import Reader


@dataclass(eq=False)
class ReadDocument(Subject):
    """A document, the windows that it is read in, and the model."""

    reader: Reader
    encoded: Encoded
    reduce: Reduce
    mask_id: int
    """Token that replaces hidden ones."""
    pooled: bool
    """Whether the model's head has one output per window."""
    units: dict[str, list[IntArray]]

    def __post_init__(self) -> None:
        self.reads = Reads(self.reader, self.encoded, self.reduce)
        self.num_tokens = len(self.encoded)

    @property
    def windows(self) -> Sequence[Window]:
        """Return the windows that the document is read in."""
        return self.reads.windows

    @property
    def items(self) -> Sequence[Item]:
        """Return the windows that are linked, together."""
        return self.reads.items

    def outputs(self, tokens: IntArray) -> FloatArray:
        """Return the merged outputs (T, C) of some tokens."""
        found: FloatArray = self.reads.merged(self.reads.new_plan(tokens)).cpu().numpy()
        return found

    def reached(self, target: Target) -> BoolArray:
        """Return (L,) which tokens the strategy declares that the score may depend on."""
        plan, found = self.reads.plan(target), np.zeros(self.num_tokens, np.bool_)
        nothing = np.zeros(0, np.int64)
        for i in plan.items:
            numbers = range(self.reads.first[i], self.reads.first[i + 1])
            asked = [plan.shares[number].places if number in plan.shares else nothing for number in numbers]
            found |= reach.reached(
                self.reader.model,
                self.reader.strategy,
                self.items[i],
                asked,
                num_tokens=self.num_tokens,
                pooled=self.pooled,
                pad_id=self.reader.pad_id,
            )
        return found

    def scores(self, target: Target, hidden: Sequence[IntArray]) -> DoubleArray:
        """See ``Subject``."""
        return variants.scores(self.reads, target, hidden, self.mask_id)

    def path(self, target: Target, shares: DoubleArray, baseline: str) -> Path:
        """See ``Subject``."""
        return gradients.path(self.reads, target, shares, baseline=baseline, mask_id=self.mask_id)

    def attended(self, target: Target, longest: int) -> list[Attended]:
        """See ``Subject``."""
        return attention.attended(self.reads, target, longest, pooled=self.pooled)
