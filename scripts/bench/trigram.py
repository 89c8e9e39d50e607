"""A baseline for language models: the probability of a token given the two before it."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence


class Trigram:
    """Interpolated trigrams with Witten and Bell's weights (1991), which have nothing to tune.

    p(w | u v) = (c(u v w) + n(u v) · p(w | v)) / (c(u v) + n(u v)), where n counts the different tokens seen after it;
    and so on down to p(w), which falls back on the uniform distribution over the vocabulary.
    """

    def __init__(self, documents: Sequence[Sequence[int]], vocabulary_size: int) -> None:
        """Count the token ids of training documents."""
        self._uniform = 1 / vocabulary_size
        self._seen: Counter[tuple[int, ...]] = Counter()
        for ids in documents:
            tokens = list(ids)
            for order in (1, 2, 3):
                self._seen.update(zip(*(tokens[start:] for start in range(order)), strict=False))
        self._total: dict[tuple[int, ...], int] = defaultdict(int)
        self._kinds: dict[tuple[int, ...], int] = defaultdict(int)
        for ngram, count in self._seen.items():
            self._total[ngram[:-1]] += count
            self._kinds[ngram[:-1]] += 1

    def probability(self, token: int, before: Sequence[int]) -> float:
        """Return the probability of ``token`` after ``before``, of which the last two tokens count."""
        likely = self._uniform
        history = tuple(before[-2:])
        for order in range(len(history) + 1):
            context = history[len(history) - order :]
            kinds = self._kinds.get(context, 0)
            if kinds:
                likely = (self._seen.get((*context, token), 0) + kinds * likely) / (self._total[context] + kinds)
        return likely

    def perplexity(self, ids: Sequence[int], start: int = 1) -> float:
        """Return the perplexity of the tokens of a document from ``start`` on."""
        nats = [-math.log(self.probability(ids[i], ids[max(i - 2, 0) : i])) for i in range(start, len(ids))]
        return math.exp(sum(nats) / len(nats))
