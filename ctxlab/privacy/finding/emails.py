"""E-mail addresses."""

from collections.abc import Iterator

import regex

from ctxlab.core.privacy import Find
from ctxlab.text.units import UNSPACED_SCRIPTS

# Letters of scripts without blanks are the sentence around an address, not a part of it.
_UNSPACED = "".join(rf"\p{{{name}}}" for name in UNSPACED_SCRIPTS)
_LETTER = rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{_UNSPACED}]]"

LOCAL = regex.compile(rf"(?r)[{_LETTER}._%+'\-]+", regex.V1)
"""What is before the sign, read backwards from it."""

DOMAIN = regex.compile(rf"(?:{_LETTER}|[.\-])++", regex.V1)

LAST = regex.compile(rf"(?:{_LETTER}{{2,}}|xn--[a-z0-9\-]+)", regex.V1 | regex.IGNORECASE)
"""Last label of a domain."""

KIND = "EMAIL"


def emails(text: str) -> Iterator[Find]:
    """Yield the e-mail addresses of a text.

    Both sides are read from each ``@`` up to the next one at most, so that a text of any kind is read twice at most.
    """
    at, before = text.find("@"), 0
    while at >= 0:
        found = _around(text, before, at)
        if found is not None:
            yield found
            before = found.end
        else:
            before = at + 1
        at = text.find("@", at + 1)


def _around(text: str, lowest: int, at: int) -> Find | None:
    local = LOCAL.match(text, lowest, at)
    domain = DOMAIN.match(text, at + 1)
    if local is None or domain is None:
        return None
    start = at - len(local[0].lstrip(".'-%+"))
    name = domain[0].rstrip(".-")
    *labels, last = name.split(".")
    if start == at or not labels or not all(labels) or not LAST.fullmatch(last) or last.isdigit():
        return None
    end = at + 1 + len(name)
    return Find(start, end, KIND, text[start:end].casefold())
