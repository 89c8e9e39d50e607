"""Grapheme clusters: what a reader takes for one character, however many code points it has (UAX 29).

A vowel sign, an accent, a skin tone or a joined emoji never stands apart from what it belongs to. Spans snap to whole
clusters, so that an answer keeps the marks of its last letter, which an uncased tokenizer does not see.
"""

from functools import cache

import regex

_LOOK_BACK = 64
"""Code points that are looked back at most to find where clusters begin anew."""

REPLACEMENT = "\ufffd"
"""What a decoder of bytes writes in place of a character whose bytes are not all there."""


@cache
def _cluster() -> "regex.Pattern[str]":
    return regex.compile(r"\X")


@cache
def _fresh() -> "regex.Pattern[str]":
    """Two plain characters between which a cluster always ends."""
    return regex.compile(r"[\p{L}\p{N}\p{Z}\p{Cc}]", regex.V1)


def clusters(text: str) -> list[str]:
    """The clusters of ``text``, which together are the text."""
    found: list[str] = _cluster().findall(text)
    return found


def snap(text: str, start: int, end: int) -> tuple[int, int]:
    """The smallest span of whole clusters that has the characters from ``start`` to ``end`` (not included).

    Takes a time that does not depend on the length of the text.
    """
    return begin_of(text, start), end_of(text, end)


def begin_of(text: str, place: int) -> int:
    """The first character of the cluster that ``place`` lies in."""
    if place >= len(text):
        return place
    for match in _cluster().finditer(text, _safe(text, place)):
        if match.end() > place:
            return int(match.start())
    return place


def end_of(text: str, place: int) -> int:
    """The end of the cluster that the character before ``place`` lies in."""
    if place <= 0:
        return place
    for match in _cluster().finditer(text, _safe(text, place - 1)):
        if match.end() >= place:
            return int(match.end())
    return place


def _safe(text: str, place: int) -> int:
    """A character at or before ``place`` at which a cluster surely begins: a plain one after a line end or a blank."""
    for start in range(place, max(place - _LOOK_BACK, 0), -1):
        if text[start - 1] in " \n\t" and _fresh().match(text[start]):
            return start
        if text[start].isascii() and text[start - 1].isascii() and text[start] != "\n":
            return start
    return max(place - _LOOK_BACK, 0)


def whole(text: str) -> str:
    """``text`` without an unfinished last character.

    A model that stops in the middle of a character leaves bytes that are none (U+FFFD), or a joiner without what it
    joins. Broken characters elsewhere stay: they were written so.
    """
    return text.rstrip(REPLACEMENT).rstrip("\u200d\u17d2\u1039")
