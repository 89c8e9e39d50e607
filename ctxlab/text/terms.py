"""Terms of texts: how much each says of a text among others (tf-idf), and how far texts are apart by it."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from ctxlab.text.units import units


def terms_of(text: str) -> list[str]:
    """Return the units of a text in lower case."""
    return [unit.casefold() for unit in units(text)]


def vectors(texts: Sequence[str]) -> list[dict[str, float]]:
    """Return the tf-idf vector of each text, of length 1; empty where it has no terms.

    A term has its count times ln((1 + N) / (1 + df)) + 1, as in scikit-learn; N texts, df of which have it.
    """
    counts = [Counter(terms_of(text)) for text in texts]
    frequency = Counter(term for one in counts for term in one)
    found = []
    for one in counts:
        row = {term: n * (math.log((1 + len(texts)) / (1 + frequency[term])) + 1) for term, n in one.items()}
        length = math.sqrt(sum(value * value for value in row.values()))
        found.append({term: value / length for term, value in row.items()})
    return found


def mean_distance(rows: Sequence[Mapping[str, float]]) -> float:
    """Return the mean over pairs of vectors of length 1 of 1 minus their cosine; 0 where there is no pair.

    The cosines of all pairs add up to half of the squared length of the sum less the squared lengths.
    """
    if len(rows) < 2:
        return 0.0
    total: dict[str, float] = {}
    for row in rows:
        for term, value in row.items():
            total[term] = total.get(term, 0.0) + value
    own = sum(value * value for row in rows for value in row.values())
    return 1 - (sum(value * value for value in total.values()) - own) / (len(rows) * (len(rows) - 1))


def profiles(groups: Sequence[Sequence[str]], count: int) -> list[list[str]]:
    """Return the terms of each group of texts that say most of it, the best first.

    A term of a group scores its occurrences there times ln((1 + n) / (1 + df)), n texts of all groups of which df have
    it; a term in all texts scores nothing. Where all terms are so, as in a single text, occurrences count alone. Equal
    ones are in the order of the alphabet.

    Args:
        groups: Texts that each user read.
        count: Terms that are returned at most.
    """
    terms = [[Counter(terms_of(text)) for text in texts] for texts in groups]
    total = sum(map(len, groups))
    frequency = Counter(term for texts in terms for one in texts for term in one)
    found = []
    for texts in terms:
        own = sum(texts, Counter[str]())
        scores = {term: times * math.log((1 + total) / (1 + frequency[term])) for term, times in own.items()}
        telling = {term: score for term, score in scores.items() if score > 0} or dict(own)
        best = sorted(telling, key=lambda term: (-telling[term], term))
        found.append(best[:count])
    return found
