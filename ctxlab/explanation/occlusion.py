"""Occlusion: how much the score falls when a part of the document is hidden."""

from collections.abc import Mapping

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.explanation import OUTPUTS, SENTENCE, WORD, Attribution, Explanation, Subject, Target
from ctxlab.core.types import IntArray
from ctxlab.explanation.attributing.limits import at_least, one_of


class Occlusion(Explanation):
    """The score of the document less that of the document in which a stretch of units is replaced by mask tokens.

    Source: Zeiler and Fergus 2014 (arXiv:1311.2901), for images; Li et al. 2016 (arXiv:1612.08220) for words. A
    stretch of ``size`` units slides by ``stride``; a unit that several stretches hide has the mean of their values,
    each divided among the units that it hides.
    """

    needs, completes, by_answer = OUTPUTS, False, True

    def __init__(self, unit: str = WORD, size: int = 1, stride: int = 1, most: int = 2000) -> None:
        """Store the options.

        Args:
            unit: What is hidden: ``word`` or ``sentence``.
            size: Units that are hidden together, at least 1.
            stride: Units from one stretch to the next, from 1 to ``size``, so that every unit is hidden.
            most: Largest number of variants of a document that are read.
        """
        one_of((WORD, SENTENCE), unit=unit)
        at_least(1, "unit", size=size)
        at_least(1, "variant of a document", most=most)
        if not 1 <= stride <= size:
            raise UserError(
                f"explanation.stride={stride} with explanation.size={size} would leave some units unseen or not end: "
                f"give a number from 1 to {size}."
            )
        self.unit, self.size, self.stride, self.most = unit, size, stride, most

    def check(self, counts: Mapping[str, int]) -> None:
        """Refuse documents of more stretches than ``most``."""
        num_units = counts[self.unit]
        times = len(_stretches(num_units, self.size, self.stride))
        if times > self.most:
            raise UserError(
                f"a document of {num_units:,} {self.unit}s would be read {times:,} times, more than "
                f"explanation.most={self.most}: use {self._instead()}explanation=gradient, which reads it once."
            )

    def attribute(self, subject: Subject, target: Target) -> Attribution:
        """Return a value for each unit.

        Raises:
            UserError: The document has more stretches than ``most``.
        """
        units = subject.units[self.unit]
        self.check({self.unit: len(units)})
        stretches = _stretches(len(units), self.size, self.stride)
        variants = [np.zeros(0, np.int64), *(_joined([units[i] for i in one]) for one in stretches)]
        score, *others = subject.scores(target, variants).tolist()
        total, count = np.zeros(len(units)), np.zeros(len(units))
        for stretch, other in zip(stretches, others, strict=True):
            total[list(stretch)] += (score - other) / len(stretch)
            count[list(stretch)] += 1
        return Attribution(self.unit, total / np.maximum(count, 1), score=score, facts={"variants": len(stretches)})

    def _instead(self) -> str:
        return "explanation.unit=sentence, or " if self.unit == WORD else ""


def _stretches(num_units: int, size: int, stride: int) -> list[range]:
    """Return the units of each stretch; the last one reaches the end."""
    last = max(num_units - size, 0)
    starts = [*range(0, last, stride), last] if num_units else []
    return [range(start, min(start + size, num_units)) for start in starts]


def _joined(parts: list[IntArray]) -> IntArray:
    return np.concatenate(parts)
