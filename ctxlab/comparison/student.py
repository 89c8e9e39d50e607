"""Student's t for an estimate whose variance is a sum of independently estimated components."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, log, sqrt

from scipy.optimize import brentq
from scipy.special import stdtrit

SMALLEST_TAIL = 1e-50
"""Below this tail some quantiles of scipy 1.17 are wrong (for 3 and 9 degrees of freedom infinite, and positive)."""


@dataclass(frozen=True, slots=True)
class Part:
    """One component of the variance of an estimate."""

    variance: float
    degrees_of_freedom: int


@dataclass(frozen=True, slots=True)
class WeightedStudent:
    """Quantiles t = Σ vᵢ tᵢ / Σ vᵢ, with vᵢ the variance components and tᵢ their quantiles.

    This is Cochran's approximation (1964, Approximate Significance Levels of the Behrens–Fisher Test, Biometrics 20,
    191–195). Satterthwaite's degrees of freedom (Σ vᵢ)² / Σ (vᵢ² / dᵢ) are the better-known one, but with three seeds
    they fail where it matters: whenever the seeds happen to agree, their component is small and so are both the
    standard error and its apparent uncertainty. With a single component both are Student's t.
    """

    parts: Sequence[Part]

    @property
    def standard_error(self) -> float:
        """Root of the total variance."""
        return sqrt(sum(part.variance for part in self.parts))

    def quantile(self, tail: float) -> float:
        """Return the value that is exceeded with probability ``tail`` (at most 0.5), in standard errors."""
        whole = sum(part.variance for part in self.parts)
        weights = [part.variance / whole if whole else 1 / len(self.parts) for part in self.parts]
        return -sum(
            weight * float(stdtrit(part.degrees_of_freedom, tail))
            for weight, part in zip(weights, self.parts, strict=True)
            if weight
        )

    def p_value(self, estimate: float) -> float:
        """Return the probability of an estimate at least as far from 0 if the true value is 0."""
        if not estimate:
            return 1.0
        ratio = abs(estimate) / self.standard_error if self.standard_error else inf
        if ratio >= self.quantile(SMALLEST_TAIL):
            return 0.0
        tail = brentq(lambda power: self.quantile(exp(power)) - ratio, log(SMALLEST_TAIL), log(0.5), xtol=1e-12)
        return 2 * exp(tail)
