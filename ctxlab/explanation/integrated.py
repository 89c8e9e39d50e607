"""Integrated gradients: gradients along the way from a document of absent tokens to the document."""

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.explanation import GRADIENT, MASK, TOKEN, Attribution, Explanation, Subject, Target
from ctxlab.core.types import DoubleArray
from ctxlab.explanation.attributing.limits import at_least, checked_baseline

HALF = 0.5


class Integrated(Explanation):
    """The gradient by each token's embedding, averaged over a straight way from a baseline, times the way.

    Source: Sundararajan et al. 2017 (arXiv:1703.01365). The values add up to the score less that of the baseline
    (completeness), up to the error of the quadrature, which is reported; the number of steps is doubled until it is at
    most ``tolerance``, or ``max_steps`` is reached. Deviations: Gauss–Legendre instead of Riemann sums, which needs
    fewer steps; special tokens and a question stay as they are, so that nothing is attributed to them.
    """

    needs, completes, by_answer = GRADIENT, True, True

    def __init__(self, steps: int = 16, max_steps: int = 128, tolerance: float = 0.05, baseline: str = MASK) -> None:
        """Store the options.

        Args:
            steps: Points of the way at first, at least 1.
            max_steps: Largest number of points.
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
        ends = subject.path(target, np.array([0.0, 1.0]), self.baseline)
        base, score = ends.scores.tolist()
        steps = self.steps
        while True:
            by_token = self._integral(subject, target, steps)
            error = abs(by_token.sum() - (score - base))
            share = error / abs(score - base) if score != base else 0.0 if not error else float("inf")
            if share <= self.tolerance or steps >= self.max_steps:
                break
            steps = min(2 * steps, self.max_steps)
        values = np.array([by_token[tokens].sum() for tokens in subject.units[TOKEN]])
        facts = {
            "steps": steps,
            "completeness_error": float(share) if np.isfinite(share) else None,
            "complete": bool(share <= self.tolerance),
        }
        return Attribution(TOKEN, values, score=score, base=base, added=0.0, facts=facts)

    def _integral(self, subject: Subject, target: Target, steps: int) -> DoubleArray:
        """Return (L,) the mean of gradient × way over the way, by Gauss–Legendre quadrature."""
        points, weights = np.polynomial.legendre.leggauss(steps)
        path = subject.path(target, HALF * (points + 1), self.baseline)
        found: DoubleArray = HALF * weights @ path.products
        return found
