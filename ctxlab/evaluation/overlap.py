"""SQuAD's comparison of two answers: exact match and F1 of the words in common (Rajpurkar et al. 2016).

An answer is normalised first: lower case, ASCII punctuation taken out, the words a, an and the taken out, white space
made single blanks, in this order. The score against several gold answers is the best one; no gold answer is the empty
one, and against it only an answer of which nothing is left is right (SQuAD 2.0, arXiv:1806.03822).
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """What is compared."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, gold: Sequence[str]) -> float:
    """1 where the answer is one of ``gold`` (none: the empty one), else 0."""
    given = normalise(answer)
    return float(any(given == normalise(other) for other in gold or ("",)))


def f1(answer: str, gold: Sequence[str]) -> float:
    """Best F1 over ``gold`` (none: the empty one), from 0 to 1."""
    given = normalise(answer).split()
    return max(_f1(given, normalise(other).split()) for other in gold or ("",))


def _f1(given: Sequence[str], wanted: Sequence[str]) -> float:
    if not given or not wanted:
        return float(given == wanted)
    common = sum((Counter(given) & Counter(wanted)).values())
    return 2 * common / (len(given) + len(wanted))
