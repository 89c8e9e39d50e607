"""Shapley values of sentences: what a sentence adds to the score, on average over all orders of the sentences."""

from collections.abc import Mapping
from itertools import combinations
from math import factorial

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.explanation import OUTPUTS, SENTENCE, Attribution, Explanation, Subject, Target
from ctxlab.core.types import DoubleArray, IntArray
from ctxlab.explanation.attributing.limits import at_least

MOST_EXACT = 16
"""Most sentences of which all subsets may be read: 65,536 of them."""


class Shapley(Explanation):
    """The mean of a sentence's marginal contribution; absent sentences consist of mask tokens.

    Source: Shapley 1953; sampled permutations as Castro et al. 2009 (doi:10.1016/j.cor.2008.04.004). Up to ``exact``
    sentences all subsets are read (Lundberg and Lee 2017, arXiv:1705.07874, equation 4), and the values are exact;
    above, permutations are drawn, each with its reverse (Mitchell et al. 2022, arXiv:2104.12199), and every value has
    a standard error. The values add up to the score less that of a document of mask tokens in both cases.
    """

    needs, completes, by_answer = OUTPUTS, True, True

    def __init__(self, exact: int = 10, permutations: int = 20, most: int = 60, seed: int = 0) -> None:
        """Store the options.

        Args:
            exact: Most sentences of which all subsets are read, 0 to 16.
            permutations: Pairs of a permutation and its reverse, at least 2, for longer documents.
            most: Most sentences of a document.
            seed: Seed of the permutations.
        """
        if not 0 <= exact <= MOST_EXACT:
            raise UserError(
                f"explanation.exact={exact} is out of range: give 0 to {MOST_EXACT}, as all subsets are read."
            )
        at_least(2, "pairs of permutations, for a standard error", permutations=permutations)
        at_least(1, "sentence", most=most)
        at_least(0, "", seed=seed)
        self.exact, self.permutations, self.most, self.seed = exact, permutations, most, seed

    def check(self, counts: Mapping[str, int]) -> None:
        """Refuse documents of more sentences than ``most``."""
        count = counts[SENTENCE]
        if count > self.most:
            raise UserError(
                f"a document of {count:,} sentences would be read about {2 * self.permutations * count:,} times, more "
                f"sentences than explanation.most={self.most}: use explanation=occlusion explanation.unit=sentence, "
                f"which reads it {count + 1:,} times, or explanation=gradient, which reads it once."
            )

    def attribute(self, subject: Subject, target: Target) -> Attribution:
        """Return a value for each sentence.

        Raises:
            UserError: The document has more than ``most`` sentences.
        """
        sentences = subject.units[SENTENCE]
        self.check({SENTENCE: len(sentences)})
        worth = _Worth(subject, target, sentences)
        if len(sentences) <= self.exact:
            return self._enumerated(worth, len(sentences))
        return self._sampled(worth, len(sentences))

    def _enumerated(self, worth: "_Worth", count: int) -> Attribution:
        subsets = [frozenset(chosen) for size in range(count + 1) for chosen in combinations(range(count), size)]
        scores = dict(zip(subsets, worth.of(subsets).tolist(), strict=True))
        shares = [factorial(size) * factorial(count - size - 1) / factorial(count) for size in range(count)]
        values = np.zeros(count)
        for subset, score in scores.items():
            for player in set(range(count)) - subset:
                values[player] += shares[len(subset)] * (scores[subset | {player}] - score)
        return self._attribution(values, scores[subsets[-1]], scores[subsets[0]], {"subsets": len(subsets)})

    def _sampled(self, worth: "_Worth", count: int) -> Attribution:
        random = np.random.default_rng(self.seed)
        orders = [random.permutation(count) for _ in range(self.permutations)]
        wanted = [one for order in orders for one in (*_prefixes(order), *_prefixes(order[::-1]))]
        subsets = list(dict.fromkeys(wanted))
        scores = dict(zip(subsets, worth.of(subsets).tolist(), strict=True))
        pairs = np.stack([(_gains(order, scores) + _gains(order[::-1], scores)) / 2 for order in orders])
        errors = pairs.std(axis=0, ddof=1) / np.sqrt(len(pairs))
        whole, empty = scores[frozenset(range(count))], scores[frozenset()]
        facts = {"permutations": 2 * self.permutations, "subsets": len(subsets)}
        return self._attribution(pairs.mean(axis=0), whole, empty, facts=facts, errors=errors)

    def _attribution(
        self, values: DoubleArray, score: float, base: float, facts: dict[str, int], errors: DoubleArray | None = None
    ) -> Attribution:
        """Return the attribution.

        Args:
            values: (U,) Shapley values.
            score: Of the whole document.
            base: Of a document of mask tokens.
            facts: What was read.
            errors: (U,) standard errors of sampled values.
        """
        return Attribution(
            SENTENCE, values, score=score, base=base, errors=errors, facts={**facts, "exact": errors is None}
        )


class _Worth:
    """Scores of documents of which only some sentences are there."""

    def __init__(self, subject: Subject, target: Target, sentences: list[IntArray]) -> None:
        self._subject, self._target, self._sentences = subject, target, sentences

    def of(self, subsets: list[frozenset[int]]) -> DoubleArray:
        """Return the score with each subset of the sentences."""
        return self._subject.scores(self._target, [self._absent(subset) for subset in subsets])

    def _absent(self, subset: frozenset[int]) -> IntArray:
        away = [tokens for number, tokens in enumerate(self._sentences) if number not in subset]
        return np.concatenate(away) if away else np.zeros(0, np.int64)


def _prefixes(order: IntArray) -> list[frozenset[int]]:
    """Return the sets of the first 0, 1, … sentences of an order."""
    return [frozenset(order[:size].tolist()) for size in range(len(order) + 1)]


def _gains(order: IntArray, scores: dict[frozenset[int], float]) -> DoubleArray:
    """Return (U,) what each sentence adds to the score when it comes in this order."""
    gains = np.zeros(len(order))
    gains[order] = np.diff([scores[prefix] for prefix in _prefixes(order)])
    return gains
