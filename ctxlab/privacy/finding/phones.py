"""Telephone numbers: international, North American, and national ones that begin with a zero.

There is no check digit, so that a number must be written as one: with ``+``, with brackets or separators in the usual
places, or after a word such as ``Tel.``. It is on one line.
"""

from collections.abc import Iterator

import regex

from ctxlab.core.privacy import Find
from ctxlab.privacy.finding.digits import HYPHEN, digits_of

KIND = "PHONE"

_BLANK = r"[ \t\u00a0\u2007\u2009\u202f]"
_GAP = rf"(?:{_BLANK}|{HYPHEN}|[./])"
_NOT_WITHIN = r"(?=[+(\p{Nd}])(?<![\p{L}\p{N}_+]|\p{N}[.,/:\-\u2010-\u2013])"
_NOT_FOLLOWED = r"(?![\p{L}\p{N}_]|[.,:]\p{N})"
_GROUPS = rf"(?:(?:{_BLANK}?+[/]{_BLANK}?+|{_GAP})?+\p{{Nd}}{{1,15}}+)"
_BRACKETS = rf"(?:{_BLANK}?+\({_BLANK}?+\p{{Nd}}{{1,5}}+{_BLANK}?+\){_GAP}?+)?+"

# Repetitions are bounded, so that from each place only some groups of digits are read.
INTERNATIONAL = regex.compile(
    rf"(?=[+0])(?:(?<![\p{{L}}\p{{N}}_+])\+|(?<![\p{{L}}\p{{N}}_.,:/#\-])00(?=[1-9])){_BLANK}?+\p{{Nd}}{{1,15}}+{_BRACKETS}{_GROUPS}{{0,7}}"
    rf"{_NOT_FOLLOWED}",
    regex.V1,
)
AMERICAN = regex.compile(
    rf"{_NOT_WITHIN}(?:\+?1{_GAP})?+(?:\([2-9]\p{{Nd}}{{2}}\){_GAP}?+|[2-9]\p{{Nd}}{{2}}([.]|{HYPHEN}))[2-9]\p{{Nd}}{{2}}"
    rf"(?:[.]|{HYPHEN}|(?<=\)\p{{Nd}}{{3}}|\){_GAP}\p{{Nd}}{{3}}){_BLANK})\p{{Nd}}{{4}}{_NOT_FOLLOWED}",
    regex.V1,
)
NATIONAL = regex.compile(
    rf"{_NOT_WITHIN}(?:\(0[1-9]\p{{Nd}}{{0,4}}+\){_BLANK}?+|0[1-9]\p{{Nd}}{{0,4}}+"
    rf"(?:{_BLANK}?+/{_BLANK}?+|{_BLANK}|{HYPHEN}))\p{{Nd}}{{2,8}}+"
    rf"(?:(?:{_BLANK}|{HYPHEN})\p{{Nd}}{{2,8}}+){{0,4}}{_NOT_FOLLOWED}",
    regex.V1,
)
ANY = regex.compile(
    rf"{_NOT_WITHIN}(?:\(\p{{Nd}}{{2,5}}+\)|\p{{Nd}}{{1,15}}+){_GROUPS}{{0,6}}{_NOT_FOLLOWED}",
    regex.V1,
)
WORD = regex.compile(
    r"(?<![\p{L}\p{N}_])(?:tel(?:efon|ephone|[eé]fono|[eé]phone)?|phone|mobile?|cell|fax|handy|whatsapp"
    rf"|call(?: me| us)?(?: at| on)?)(?:{_BLANK}?+(?:no|nr|number))?+[.:]{{0,2}}+{_BLANK}?+",
    regex.V1 | regex.IGNORECASE,
)
WORD_REACH = 28
"""Characters before a number within which such a word begins."""

FEWEST, MOST = 7, 15
"""Digits of a number (E.164 allows 15 at most)."""

WAYS = ((AMERICAN, 10), (INTERNATIONAL, FEWEST), (NATIONAL, 9), (ANY, FEWEST - 1))
"""Pattern and least digits: a number with a national prefix has more than a date has."""

NEXT = (" 0", "(0")
"""How the next number begins, where two are side by side."""

GROUP = regex.compile(r"\p{Nd}++", regex.V1)


def phones(text: str) -> Iterator[Find]:
    """Yield telephone numbers; one may be found in two ways."""
    for pattern, fewest in WAYS:
        match = pattern.search(text)
        while match is not None:
            start, end = match.span()
            length = _length(match[0], fewest) if pattern is not ANY or _is_called(text, start) else 0
            if length:
                end = start + length
                yield Find(start, end, KIND, digits_of(match[0][:length]).removeprefix("00"))
            match = pattern.search(text, end)


def _is_called(text: str, start: int) -> bool:
    """Whether a word before ``start`` says that a telephone number follows."""
    return any(found.end() == start for found in WORD.finditer(text, max(start - WORD_REACH, 0), start))


def _length(written: str, fewest: int) -> int:
    """Return how many characters are one number: all of them or, where another follows, those before it; 0 for none."""
    groups = [found.span() for found in GROUP.finditer(written)]
    most = MOST + 2 * written.startswith("00")
    total = sum(end - start for start, end in groups)
    if total <= most:
        return groups[-1][1] if total >= fewest else 0
    best = so_far = 0
    for index, (start, end) in enumerate(groups):
        so_far += end - start
        if so_far > most:
            break
        if so_far >= fewest:
            best = end
            if index + 1 < len(groups) and written[groups[index + 1][0] - 1 :][:2] in NEXT:
                break
    return best
