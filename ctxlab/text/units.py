"""Splits text into words in every script: single characters where a script has no blanks, else at blanks.

There are three ways, each linear in the text:

- ``words`` are those of ``str.split``, except that every character of a script without blanks is a word with adjacent
  punctuation. They are used for lengths, bounds, excerpts and n-grams.
- ``units`` are runs of letters, digits and marks, or one such character. They are compared in retrieval and ROUGE.
- ``tokens`` are units and every other visible character by itself. They are the words of tagging.

Splitting Chinese, Japanese or Thai into words needs a dictionary, and scores depend on which; the benchmarks of these
languages count characters (MLQA, CMRC 2018, LCSTS, sacrebleu's ``zh`` and ``char``).
"""

import string
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache, lru_cache

import regex

UNSPACED_SCRIPTS = (
    "Han", "Hiragana", "Katakana", "Bopomofo", "Yi", "Tangut", "Nushu", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan",
    "Javanese", "Balinese", "Tai_Le", "New_Tai_Lue", "Tai_Tham", "Tai_Viet",
)  # fmt: skip
"""Scripts whose words are not separated by blanks, by their names in Unicode's ``Script`` property."""

Span = tuple[int, int]
"""First and last character (not included)."""

# The prolonged sound mark and the closing mark belong to several scripts, and thus have none as their ``Script``.
_SCRIPTS = "".join(rf"\p{{{name}}}" for name in UNSPACED_SCRIPTS) + "ーｰ〆"
_SINGLE = rf"[[{_SCRIPTS}]&&[\p{{L}}\p{{Nl}}]]"
# A stacked consonant (Khmer coeng, Burmese virama) and the half-width voicing marks belong to the letter before them.
_MARKS = r"(?:[\p{M}\u200c\u200d\uff9e\uff9f]|(?<=[\u17d2\u1039])\p{L})*+"
_CHARACTER = rf"{_SINGLE}{_MARKS}"
_RUN = rf"(?:[[\p{{L}}\p{{N}}]--{_SINGLE}][\p{{M}}\u200c\u200d]*+)++"
_RUN_OR_LINE = rf"(?:[[\p{{L}}\p{{N}}_\p{{M}}\u200c\u200d]--{_SINGLE}])++"
# The separators 1c to 1f are white space in Python but not in ``regex``.
# Adjacent characters that are neither letters nor blanks: Tibetan syllable marks, commas, quotation marks.
_TOUCHING = r"[^\s\x1c-\x1f\p{L}\p{N}_]"

_TIGHT = rf"[[[{_SCRIPTS}]--\p{{Nd}}]{{}}]".replace(
    "{}", r"[\p{Block=CJK_Symbols_And_Punctuation}--\u3000]\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)
"""No blank is written between two of these: letters and marks of such scripts, and their punctuation."""
_BESIDE_WORDS = rf"[[\p{{L}}\p{{N}}\p{{M}}_]--[{_SCRIPTS}]]"
"""Characters that must not be adjacent to a word that is found as a whole word."""
_BESIDE = r"[\p{N}“”‘’…—·]"
"""No blank is written between one of ``_TIGHT`` and one of these either."""


@cache
def _pattern(name: str) -> "regex.Pattern[str]":
    """Return a pattern, compiled at first use so that the command line starts fast."""
    patterns = {
        "units": rf"{_CHARACTER}|{_RUN}",
        "tokens": rf"{_CHARACTER}|{_RUN_OR_LINE}|[^\s\x1c-\x1f]",
        # Punctuation belongs to the character before it, or else to the one after it.
        "words": rf"{_TOUCHING}*+{_CHARACTER}{_TOUCHING}*+|[[^\s\x1c-\x1f]--{_SINGLE}]++",
        "single": _SINGLE,
        "tight": _TIGHT,
    }
    return regex.compile(patterns[name], regex.V1)


def unit_spans(text: str) -> list[Span]:
    """Return the spans of the units of ``text``, in order."""
    return [match.span() for match in _pattern("units").finditer(text)]


def units(text: str) -> list[str]:
    """Return runs of letters, digits and marks, and the single characters of scripts without blanks."""
    found: list[str] = _pattern("units").findall(text)
    return found


def token_spans(text: str) -> list[Span]:
    """Return the spans of the units of ``text`` and of every other visible character; an underscore is a letter."""
    return [match.span() for match in _pattern("tokens").finditer(text)]


def word_spans(text: str) -> list[Span]:
    """Return the spans of the words of ``text``, in order: every visible character is in exactly one."""
    return [match.span() for match in _pattern("words").finditer(text)]


def split_at(spans: Sequence[Span], borders: Sequence[int]) -> list[Span]:
    """Return ``spans``, split at each of the ascending ``borders`` that lies inside one."""
    found, at = [], 0
    for start, end in spans:
        while at < len(borders) and borders[at] <= start:
            at += 1
        while at < len(borders) and borders[at] < end:
            found.append((start, borders[at]))
            start, at = borders[at], at + 1
        found.append((start, end))
    return found


def words(text: str) -> list[str]:
    """Return the words of ``text``; the same as ``text.split()`` where every script has blanks."""
    found: list[str] = text.split() if text.isascii() else _pattern("words").findall(text)
    return found


def num_words(text: str) -> int:
    """Return the number of ``words`` of a text."""
    return len(words(text))


def first_words(text: str, count: int) -> str:
    """Return the first ``count`` words of ``text``; a run of white space becomes a blank."""
    spans = word_spans(text)[:count]
    return squeezed(text[: spans[-1][1]]) if spans else ""


def last_words(text: str, count: int) -> str:
    """Return the last ``count`` words of ``text``; a run of white space becomes a blank."""
    spans = word_spans(text)[-count:] if count else []
    return squeezed(text[spans[0][0] :]) if spans else ""


def words_around(text: str, place: int, before: int, count: int, *, fill: bool = False) -> str:
    """Return ``count`` words of ``text``, starting ``before`` words before the one that contains character ``place``.

    Fewer are returned at the end of the text, unless ``fill`` lets them start earlier there.

    Args:
        text: The text.
        place: Index of a character.
        before: Words before the one that contains it.
        count: Words to return.
        fill: Whether words before the first are added where the text ends too early.
    """
    spans = word_spans(text)
    first = bisect_right([end for _, end in spans], place) - before
    if fill:
        first = min(first, len(spans) - count)
    chosen = spans[max(first, 0) :][:count]
    return squeezed(text[chosen[0][0] : chosen[-1][1]]) if chosen else ""


def squeezed(text: str) -> str:
    """Return ``text`` with every run of white space as a single blank, and none at its ends."""
    return " ".join(text.split())


def is_single(character: str) -> bool:
    """Whether ``character`` is a letter of a script without blanks, which is a word by itself."""
    return _pattern("single").match(character) is not None


def is_punctuation(character: str) -> bool:
    """Whether ``character`` is punctuation in Unicode or in ASCII ($, +, <, …)."""
    return character in string.punctuation or unicodedata.category(character)[0] == "P"


def bare(text: str) -> str:
    """Return ``text`` without surrounding white space and punctuation."""
    start, end = 0, len(text)
    while start < end and (text[start].isspace() or is_punctuation(text[start])):
        start += 1
    while start < end and (text[end - 1].isspace() or is_punctuation(text[end - 1])):
        end -= 1
    return text[start:end]


def has_single(text: str) -> bool:
    """Whether any character of ``text`` is a letter of a script without blanks."""
    return not text.isascii() and _pattern("single").search(text) is not None


def joined(pieces: Sequence[str]) -> tuple[str, list[Span]]:
    """Join words of a data set to running text; returns it with the span of each word.

    Words are separated by a blank, except between a script without blanks (or its punctuation) and another such
    character or a number: 张 伟 is 张伟, and 2024 年 is 2024年, while "iPhone 在 北 京" keeps the blank after the Latin
    word.
    """
    text, spans, length = [], [], 0
    for index, piece in enumerate(pieces):
        if index and needs_blank(pieces[index - 1], piece):
            text.append(" ")
            length += 1
        text.append(piece)
        spans.append((length, length + len(piece)))
        length += len(piece)
    return "".join(text), spans


def needs_blank(before: str, after: str) -> bool:
    """Whether running text has a blank between these two words; see ``joined``."""
    if not before:
        return not _pattern("tight").match(after)
    if (before + after).isascii():
        return True
    left, right = before[-1:], after[:1]
    tight = _pattern("tight")
    if tight.match(left):
        return not (tight.match(right) or right.isdigit() or not right.isalnum())
    return not (tight.match(right) and (left.isdigit() or not left.isalnum()))


def find_words(text: str, wanted: str) -> list[Span]:
    """Return the spans of ``wanted`` in ``text`` as whole words, ignoring case.

    In a script without blanks a word may begin or end anywhere, except before a combining mark; elsewhere no letter,
    digit, mark or underscore may be adjacent.
    """
    if not wanted or wanted.isspace():
        return []
    return [match.span() for match in _whole(wanted).finditer(text)]


@lru_cache(4096)
def _whole(wanted: str) -> "regex.Pattern[str]":
    left = "" if is_single(wanted[0]) else rf"(?<!{_BESIDE_WORDS})"
    right = r"(?![\p{M}\u200d])" if _ends_single(wanted) else rf"(?![\p{{M}}\u200d]|{_BESIDE_WORDS})"
    return regex.compile(left + regex.escape(wanted) + right, regex.V1 | regex.IGNORECASE)


def _ends_single(text: str) -> bool:
    """Whether the last letter, without its marks, is one of a script without blanks."""
    spans = unit_spans(text)
    return bool(spans) and spans[-1][1] == len(text) and is_single(text[spans[-1][0]])


def without_invented_blanks(text: str) -> str:
    """Remove the blanks that a tokenizer of single characters inserts when it decodes.

    Such a tokenizer drops blanks when encoding and inserts one between any two tokens when decoding, so that Chinese is
    decoded as single characters with blanks. A blank is removed between two characters of a script without blanks, or
    its punctuation, and between such a character and a number.
    """
    return text if text.isascii() else _blanks().sub("", text)


@cache
def _blanks() -> "regex.Pattern[str]":
    tight, beside = _TIGHT, f"(?:{_TIGHT}|{_BESIDE})"
    return regex.compile(rf"(?<={tight}\p{{M}}?) (?={beside})|(?<={beside}) (?={tight})", regex.V1)
