"""Text into words, in every script: a character by itself where a script has no blanks, else what blanks part.

Three ways to cut, each linear in the text:

- ``words`` are what ``str.split`` gives, except that every character of a script without blanks is a word with the
  punctuation that touches it. They count lengths, bounds and excerpts, and they are the words of n-grams.
- ``units`` are runs of letters, digits and marks, or one such character. They are compared: retrieval, ROUGE.
- ``tokens`` are units and every other visible character by itself. They are tagged.

Cutting Chinese, Japanese or Thai into words of a dictionary needs a dictionary, and scores differ from one to the next;
characters are what the benchmarks of these languages count (MLQA, CMRC 2018, LCSTS, sacrebleu's ``zh`` and ``char``).
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
"""Scripts whose words are not parted by blanks, by their names in Unicode's ``Script`` property."""

Span = tuple[int, int]
"""First and last character (not included)."""

# The prolonged sound mark and the closing mark belong to several scripts, and so to none of them by ``Script``.
_SCRIPTS = "".join(rf"\p{{{name}}}" for name in UNSPACED_SCRIPTS) + "ーｰ〆"
_SINGLE = rf"[[{_SCRIPTS}]&&[\p{{L}}\p{{Nl}}]]"
# A stacked consonant (Khmer coeng, Burmese virama) and the half-width voicing marks belong to the letter before them.
_MARKS = r"(?:[\p{M}\u200c\u200d\uff9e\uff9f]|(?<=[\u17d2\u1039])\p{L})*+"
_CHARACTER = rf"{_SINGLE}{_MARKS}"
_RUN = rf"(?:[[\p{{L}}\p{{N}}]--{_SINGLE}][\p{{M}}\u200c\u200d]*+)++"
_RUN_OR_LINE = rf"(?:[[\p{{L}}\p{{N}}_\p{{M}}\u200c\u200d]--{_SINGLE}])++"
# The separators 1c to 1f are white space to Python, and to ``regex`` they are not.
# Stops of Tibetan syllables, commas and quotation marks: what touches a character and is neither letter nor blank.
_TOUCHING = r"[^\s\x1c-\x1f\p{L}\p{N}_]"

_TIGHT = rf"[[[{_SCRIPTS}]--\p{{Nd}}]{{}}]".replace(
    "{}", r"[\p{Block=CJK_Symbols_And_Punctuation}--\u3000]\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)
"""No blank is written between two of these: letters and marks of such scripts, and their punctuation."""
_BESIDE_WORDS = rf"[[\p{{L}}\p{{N}}\p{{M}}_]--[{_SCRIPTS}]]"
"""What must not stand next to a word that is found whole."""
_BESIDE = r"[\p{N}“”‘’…—·]"
"""Nor between one of them and one of these."""


@cache
def _pattern(name: str) -> "regex.Pattern[str]":
    """Compiled when first asked for: the command line answers without it."""
    patterns = {
        "units": rf"{_CHARACTER}|{_RUN}",
        "tokens": rf"{_CHARACTER}|{_RUN_OR_LINE}|[^\s\x1c-\x1f]",
        # Punctuation goes to the character before it, and to the one after it where none is before it.
        "words": rf"{_TOUCHING}*+{_CHARACTER}{_TOUCHING}*+|[[^\s\x1c-\x1f]--{_SINGLE}]++",
        "single": _SINGLE,
        "tight": _TIGHT,
    }
    return regex.compile(patterns[name], regex.V1)


def unit_spans(text: str) -> list[Span]:
    """Places of the units of ``text``, in order."""
    return [match.span() for match in _pattern("units").finditer(text)]


def units(text: str) -> list[str]:
    """Runs of letters, digits and marks, and the single characters of scripts without blanks."""
    found: list[str] = _pattern("units").findall(text)
    return found


def token_spans(text: str) -> list[Span]:
    """Places of the units of ``text`` and of every other visible character; an underscore counts as a letter."""
    return [match.span() for match in _pattern("tokens").finditer(text)]


def word_spans(text: str) -> list[Span]:
    """Places of the words of ``text``, in order: every visible character is in exactly one."""
    return [match.span() for match in _pattern("words").finditer(text)]


def words(text: str) -> list[str]:
    """Words as they stand; the same as ``text.split()`` where every script has blanks."""
    found: list[str] = text.split() if text.isascii() else _pattern("words").findall(text)
    return found


def num_words(text: str) -> int:
    """How many ``words`` a text has."""
    return len(words(text))


def first_words(text: str, count: int) -> str:
    """The beginning of ``text`` up to the end of its word number ``count``; a run of white space becomes a blank."""
    spans = word_spans(text)[:count]
    return squeezed(text[: spans[-1][1]]) if spans else ""


def last_words(text: str, count: int) -> str:
    """The end of ``text`` from its ``count``-th last word on; a run of white space becomes a blank."""
    spans = word_spans(text)[-count:] if count else []
    return squeezed(text[spans[0][0] :]) if spans else ""


def words_around(text: str, place: int, before: int, count: int, *, fill: bool = False) -> str:
    """``count`` words of ``text``, from ``before`` words in front of the one that holds the character ``place`` on.

    Fewer are given at the end of the text, unless ``fill`` lets them begin earlier there.
    """
    spans = word_spans(text)
    first = bisect_right([end for _, end in spans], place) - before
    if fill:
        first = min(first, len(spans) - count)
    chosen = spans[max(first, 0) :][:count]
    return squeezed(text[chosen[0][0] : chosen[-1][1]]) if chosen else ""


def squeezed(text: str) -> str:
    """``text`` with every run of white space as a single blank, and none at its ends."""
    return " ".join(text.split())


def is_single(character: str) -> bool:
    """Whether ``character`` is a letter of a script without blanks, and so a word by itself."""
    return _pattern("single").match(character) is not None


def is_punctuation(character: str) -> bool:
    """Whether Unicode calls ``character`` punctuation, or ASCII does ($, +, <, …)."""
    return character in string.punctuation or unicodedata.category(character)[0] == "P"


def bare(text: str) -> str:
    """``text`` without the white space and punctuation around it."""
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
    """Words of a data set as running text, and where each of them is.

    A blank stands between two of them, except where a script without blanks (or its punctuation) meets another one or
    a number: 张 伟 is 张伟, and 2024 年 is 2024年, while "iPhone 在 北 京" keeps the blank after the Latin word.
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
    """Where ``wanted`` occurs in ``text`` as whole words, in large or small letters.

    Where a script has no blanks any place is one at which a word may begin or end, unless a mark of the last character
    is left out; elsewhere no letter, digit, mark or underscore stands next to it.
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
    """Whether the last letter, marks aside, is one of a script without blanks."""
    spans = unit_spans(text)
    return bool(spans) and spans[-1][1] == len(text) and is_single(text[spans[-1][0]])


def without_invented_blanks(text: str) -> str:
    """``text`` as a tokenizer of single characters gives it back, without the blanks that it put between them.

    Such a tokenizer drops blanks when it reads and writes one between any two tokens, so that Chinese comes back as
    single characters with blanks. A blank goes where a character of a script without blanks, or its punctuation,
    stands on both sides; and between such a character and a number.
    """
    return text if text.isascii() else _blanks().sub("", text)


@cache
def _blanks() -> "regex.Pattern[str]":
    tight, beside = _TIGHT, f"(?:{_TIGHT}|{_BESIDE})"
    return regex.compile(rf"(?<={tight}\p{{M}}?) (?={beside})|(?<={beside}) (?={tight})", regex.V1)
