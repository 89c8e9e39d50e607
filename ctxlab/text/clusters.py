"""Grapheme clusters: what a reader perceives as one character, however many code points it has (UAX 29).

A vowel sign, an accent, a skin tone or a joined emoji is never separated from its base. Spans are extended to whole
clusters, so that an answer keeps the combining marks of its last letter, which an uncased tokenizer drops.
"""

from functools import cache

import regex

_LOOK_BACK = 64
"""Maximum number of code points to search backwards for a certain cluster boundary."""

REPLACEMENT = "\ufffd"
"""What decoding writes for incomplete bytes."""


@cache
def _cluster() -> "regex.Pattern[str]":
    return regex.compile(r"\X")


@cache
def _fresh() -> "regex.Pattern[str]":
    """Match a character that begins a cluster after white space."""
    return regex.compile(r"[\p{L}\p{N}\p{Z}\p{Cc}]", regex.V1)


def clusters(text: str) -> list[str]:
    """Return the clusters of ``text``, whose concatenation is the text."""
    found: list[str] = _cluster().findall(text)
    return found


def snap(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the smallest span of whole clusters with the characters from ``start`` to ``end`` (not included).

    The time does not depend on the length of the text.
    """
    return begin_of(text, start), end_of(text, end)


def begin_of(text: str, place: int) -> int:
    """Return the first character of the cluster that contains ``place``."""
    if place >= len(text):
        return place
    for match in _cluster().finditer(text, _safe(text, place)):
        if match.end() > place:
            return int(match.start())
    return place


def end_of(text: str, place: int) -> int:
    """Return the end of the cluster that contains the character before ``place``."""
    if place <= 0:
        return place
    for match in _cluster().finditer(text, _safe(text, place - 1)):
        if match.end() >= place:
            return int(match.end())
    return place


def _safe(text: str, place: int) -> int:
    """Return a character at or before ``place`` that certainly begins a cluster: a plain one after white space."""
    for start in range(place, max(place - _LOOK_BACK, 0), -1):
        if text[start - 1] in " \n\t" and _fresh().match(text[start]):
            return start
        if text[start].isascii() and text[start - 1].isascii() and text[start] != "\n":
            return start
    return max(place - _LOOK_BACK, 0)


def whole(text: str) -> str:
    """Return ``text`` without an incomplete last character.

    A model that stops in the middle of a character leaves incomplete bytes (U+FFFD), or a joiner with nothing after it.
    Broken characters elsewhere are kept.
    """
    return text.rstrip(REPLACEMENT).rstrip("\u200d\u17d2\u1039")
