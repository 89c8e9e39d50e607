"""Plain text to words, with their places."""

import re
import sys
import unicodedata
from functools import cache


def words_of(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    """Words and punctuation marks of ``text``, and (first, last not included) character of each."""
    matches = list(_pattern().finditer(text))
    return [match.group() for match in matches], [match.span() for match in matches]


@cache
def _pattern() -> re.Pattern[str]:
    r"""Runs of letters, digits and the marks that belong to them, or any other visible character by itself.

    Python's ``\w`` leaves out combining marks, and so would cut words of Hindi and many other scripts apart.
    """
    marks = [code for code in range(0x300, sys.maxunicode + 1) if unicodedata.category(chr(code))[0] == "M"]
    ranges, start = [], marks[0]
    for code, following in zip(marks, [*marks[1:], -1], strict=True):
        if following != code + 1:
            ranges.append(f"{chr(start)}-{chr(code)}")
            start = following
    return re.compile(rf"[\w\u200c\u200d{''.join(ranges)}]+|[^\w\s]")
