"""The paired permutation test: the null hypothesis is that candidate and baseline are exchangeable on each document.

Shape legend: N documents, R swaps.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ctxlab.comparison.scored import Scored
from ctxlab.evaluation.statistics import Counts

EXACT_DOCUMENTS = 12
"""Up to this number of differing documents, all swaps are tried."""

DRAWS = 10_000
"""Number of random swaps above that."""

BLOCK_CELLS = 2**22
"""Largest number of weights in memory at once."""

ROUNDING = 1e-12
"""Differences count as equal if they differ by less than this fraction of the figure."""


@dataclass(frozen=True, slots=True)
class Permutation:
    """Result of the test that candidate and baseline are exchangeable on every document."""

    p_value: float
    """Two-sided."""
    num_documents: int
    """Documents on which candidate and baseline differ; swapping others changes nothing."""
    smallest_p: float
    """The smallest possible p-value on these documents."""
    num_swaps: int
    is_exact: bool
    """Whether all swaps were tried."""


def permutation(candidate: Scored, baseline: Scored, *, draws: int = DRAWS, seed: int = 0) -> Permutation:
    """Swap whole documents between candidate and baseline and recompute the difference from the swapped counts.

    The p-value is the fraction of the 2ᴺ swaps whose difference, a mean over seeds, is at least as far from 0 as the
    observed one (Fisher 1935, The Design of Experiments, section 21). Above ``EXACT_DOCUMENTS`` documents it comes
    from random swaps, the observed one included (Phipson and Smyth 2010, arXiv:1603.05766). A document is swapped
    with the results of all seeds, as they are not independent. The test treats the trained models as fixed: about
    strategies it says something only together with ``Difference.p_value``.

    Args:
        candidate: Scores of the candidate.
        baseline: Scores of the baseline on the same documents and seeds.
        draws: R, number of random swaps.
        seed: Seed of the random swaps, so that a report can be reproduced.
    """
    ours, theirs = candidate.each_seed(), baseline.each_seed()
    least = abs((ours - theirs).mean()) - ROUNDING * max(np.abs(ours).max(), np.abs(theirs).max())
    places = np.flatnonzero(candidate.differs(baseline))
    is_exact = len(places) <= EXACT_DOCUMENTS
    blocks = _all_swaps(len(places)) if is_exact else _random_swaps(len(places), draws, seed)
    extreme, num_swaps = 0, 0
    for block in blocks:
        share = np.ones((len(block), candidate.num_documents))
        share[:, places] = block
        differences = (candidate.mixed(baseline, share) - baseline.mixed(candidate, share)).mean(axis=1)
        # A swap that leaves the figure undefined counts against the difference.
        extreme += int((~(np.abs(differences) < least)).sum())
        num_swaps += len(block)
    one = 0 if is_exact else 1
    return Permutation(
        p_value=(extreme + one) / (num_swaps + one),
        num_documents=len(places),
        smallest_p=smallest_p(len(places), draws),
        num_swaps=num_swaps,
        is_exact=is_exact,
    )


def smallest_p(num_documents: int, draws: int = DRAWS) -> float:
    """Return the smallest two-sided p-value with this number of documents: the observed order and its mirror image."""
    exact = min(1.0, 2.0 ** (1 - num_documents))
    return exact if num_documents <= EXACT_DOCUMENTS else max(exact, 1 / (draws + 1))


def _all_swaps(num_documents: int) -> Iterator[Counts]:
    """Yield every (N,) row of 0 and 1 once."""
    yield (np.arange(2**num_documents)[:, None] >> np.arange(num_documents) & 1).astype(np.float64)


def _random_swaps(num_documents: int, draws: int, seed: int) -> Iterator[Counts]:
    """Yield ``draws`` random rows, in blocks."""
    generator = np.random.default_rng(seed)
    block = max(1, BLOCK_CELLS // num_documents)
    for start in range(0, draws, block):
        yield generator.integers(0, 2, (min(block, draws - start), num_documents)).astype(np.float64)
