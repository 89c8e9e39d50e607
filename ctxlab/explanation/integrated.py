"""Integrated gradients: gradients along the way from a document of absent tokens to the document."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.explanation import GRADIENT, MASK, TOKEN, Attribution, Explanation, Subject, Target
from ctxlab.core.types import DoubleArray
from ctxlab.explanation.attributing.limits import at_least, checked_baseline


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A piece of the way."""

    start: float
    end: float
    """Fractions of the way, from 0 at the baseline to 1 at the document."""
    change: float
    """Score at the end less that at the start, which is what its values should add up to."""
    values: DoubleArray
    """(L,) the integral of gradient × way over it, by token."""

    @property
    def error(self) -> float:
        """What the values do not account for."""
        return float(self.change - self.values.sum())


class Integrated(Explanation):
    """The gradient by each token's embedding, averaged over a straight way from a baseline, times the way.

    Source: Sundararajan et al. 2017 (arXiv:1703.01365). The values add up to the score less that of the baseline
    (completeness), up to the error of the quadrature, which is reported. The score of a sure model changes within a
    small part of the way: pieces of it are halved, always the one with the largest error, which its scores at both ends
    tell, until the error of the whole is at most ``tolerance``, or ``max_steps`` points are used. Deviations:
    Gauss–Legendre instead of Riemann sums, which needs fewer steps; special tokens and a question stay as they are, so
    that nothing is attributed to them.
    """

    needs, completes, by_answer = GRADIENT, True, True

    def __init__(self, steps: int = 16, max_steps: int = 256, tolerance: float = 0.05, baseline: str = MASK) -> None:
        """Store the options.

        Args:
            steps: Points of the way at first, at least 1; half as many for each half of a piece.
            max_steps: Largest number of points in all.
            tolerance: Largest completeness error as a fraction of the difference of the scores.
            baseline: Absent tokens: ``mask`` (the mask token) or ``zero`` (an embedding of zeros).
        """
        at_least(1, "point of the way", steps=steps)
        if max_steps < steps:
            raise UserError(
                f"explanation.max_steps={max_steps} is below explanation.steps={steps}: give as many or more."
            )
        if not tolerance > 0:
            raise UserError(f"explanation.tolerance={tolerance} is not above 0: give a fraction such as 0.05.")
        self.steps, self.max_steps, self.tolerance = steps, max_steps, tolerance
        self.baseline = checked_baseline(baseline)

    def attribute(self, subject: Subject, target: Target) -> Attribution:
        """Return a value for each token, with ``completeness_error`` as a fraction of the difference of the scores."""
        base, score = subject.path(target, np.array([0.0, 1.0]), self.baseline).scores.tolist()
        pieces = [self._whole(subject, target, score - base)]
        steps, half = self.steps, max(self.steps // 2, 1)
        while not self._suffices(pieces, score - base) and steps + 2 * half <= self.max_steps:
            worst = max(pieces, key=lambda piece: abs(piece.error))
            pieces.remove(worst)
            pieces += self._halves(subject, target, worst, half)
            steps += 2 * half
        by_token = np.sum([piece.values for piece in pieces], axis=0)
        share = _share(pieces, score - base)
        values = np.array([by_token[tokens].sum() for tokens in subject.units[TOKEN]])
        facts = {
            "steps": steps,
            "completeness_error": share if np.isfinite(share) else None,
            "complete": share <= self.tolerance,
        }
        return Attribution(TOKEN, values, score=score, base=base, added=0.0, facts=facts)

    def _suffices(self, pieces: Sequence[Piece], change: float) -> bool:
        return _share(pieces, change) <= self.tolerance

    def _whole(self, subject: Subject, target: Target, change: float) -> Piece:
        points, weights = _quadrature(0.0, 1.0, self.steps)
        path = subject.path(target, points, self.baseline)
        return Piece(0.0, 1.0, change, weights @ path.products)

    def _halves(self, subject: Subject, target: Target, piece: Piece, steps: int) -> list[Piece]:
        """Return the two halves of a piece, each with so many points."""
        middle = (piece.start + piece.end) / 2
        left, left_weights = _quadrature(piece.start, middle, steps)
        right, right_weights = _quadrature(middle, piece.end, steps)
        # The scores at the ends of the piece differ by its change, so that of the middle and of one end are enough.
        path = subject.path(target, np.concatenate([left, right, [piece.start, middle]]), self.baseline)
        change = float(path.scores[-1] - path.scores[-2])
        return [
            Piece(piece.start, middle, change, left_weights @ path.products[:steps]),
            Piece(middle, piece.end, piece.change - change, right_weights @ path.products[steps : 2 * steps]),
        ]


def _quadrature(start: float, end: float, steps: int) -> tuple[DoubleArray, DoubleArray]:
    """Return (S,) points and weights of Gauss–Legendre quadrature between two places of the way."""
    points, weights = np.polynomial.legendre.leggauss(steps)
    half = (end - start) / 2
    return start + half * (points + 1), half * weights


def _share(pieces: Sequence[Piece], change: float) -> float:
    """Return the error of the whole as a fraction of the change of the score."""
    error = abs(sum(piece.error for piece in pieces))
    if change:
        return error / abs(change)
    return float("inf") if error else 0.0
