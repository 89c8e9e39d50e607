"""Comparison of answers by the rules of their language: exact match and F1 as in SQuAD and MLQA.

An answer is normalised first: it is lower-cased, punctuation (Unicode's and ASCII's) and the articles of its language
are removed, white space becomes single blanks, and every character of a script without blanks becomes a word. Source:
Lewis et al. 2020 (arXiv:1910.07475) and the evaluation script of MLQA, which for English is that of SQuAD (Rajpurkar et
al. 2016) with Unicode's punctuation. Deviations: accents are composed first (NFC), so that an answer copied from a text
of decomposed characters is right; and the characters of Japanese, Thai, Lao, Khmer, Burmese and Tibetan are words, like
Chinese characters in MLQA.

CMRC 2018 (Cui et al. 2019, arXiv:1810.07366) compares by the longest common run instead: ``lcs_f1``.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

import regex

from ctxlab.text.language import by_script
from ctxlab.text.units import UNSPACED_SCRIPTS

ARTICLES = {
    "en": r"\b(a|an|the)\b",
    "es": r"\b(un|una|unos|unas|el|la|los|las)\b",
    "vi": r"\b(của|là|cái|chiếc|những)\b",
    "de": r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "ar": r"\sال^|ال",
}
"""The patterns of MLQA's script, including the Arabic one, which removes the two letters anywhere in a word."""


def normalise(text: str, language: str = "") -> str:
    """Return the normalised text; without ``language`` it is guessed from the script (``language.by_script``)."""
    text = unicodedata.normalize("NFC", text).lower()
    bare = _without_punctuation(text)
    articles = _articles(language or by_script(text))
    if articles is not None:
        bare = articles.sub(" ", bare)
    return " ".join((bare if bare.isascii() else _characters().sub(r" \g<0> ", bare)).split())


def words(text: str, language: str = "") -> list[str]:
    """Return the normalised words of a text."""
    return normalise(text, language).split()


def exact_match(answer: str, gold: Sequence[str], language: str = "") -> float:
    """Return 1 where the answer equals one of ``gold`` (if empty: the empty answer), else 0.

    Without ``language`` the script of the gold answer decides the rules.
    """
    return float(any(_same(answer, other, language or _language(answer, other)) for other in gold or ("",)))


def f1(answer: str, gold: Sequence[str], language: str = "") -> float:
    """Return the best F1 of common words over ``gold`` (if empty: the empty answer), from 0 to 1."""
    return max(_f1(*_words(answer, other, language)) for other in gold or ("",))


def lcs_f1(answer: str, gold: Sequence[str], language: str = "") -> float:
    """Return the best F1 over ``gold`` by the longest common run of words, as in CMRC 2018."""
    return max(_lcs_f1(*_words(answer, other, language)) for other in gold or ("",))


OVERLAPS: dict[str, Callable[[str, Sequence[str], str], float]] = {"words": f1, "run": lcs_f1}
"""Values of ``task.f1``."""


def _language(answer: str, gold: str) -> str:
    return by_script(gold if any(map(str.isalpha, gold)) else answer)


def _same(answer: str, gold: str, language: str) -> bool:
    return normalise(answer, language) == normalise(gold, language)


def _words(answer: str, gold: str, language: str) -> tuple[list[str], list[str]]:
    language = language or _language(answer, gold)
    return words(answer, language), words(gold, language)


def _f1(given: Sequence[str], wanted: Sequence[str]) -> float:
    if not given or not wanted:
        return float(given == wanted)
    common = sum((Counter(given) & Counter(wanted)).values())
    return 2 * common / (len(given) + len(wanted))


def _lcs_f1(given: Sequence[str], wanted: Sequence[str]) -> float:
    if not given or not wanted:
        return float(given == wanted)
    return 2 * _longest_run(given, wanted) / (len(given) + len(wanted))


def _longest_run(given: Sequence[str], wanted: Sequence[str]) -> int:
    """Return the length of the longest common run of words, in time proportional to the product of the lengths."""
    longest, row = 0, [0] * (len(wanted) + 1)
    for word in given:
        row = [0, *(row[i] + 1 if word == other else 0 for i, other in enumerate(wanted))]
        longest = max(longest, *row)
    return longest


@cache
def _punctuation() -> "regex.Pattern[str]":
    return regex.compile(rf"[\p{{P}}{re.escape(string.punctuation)}]", regex.V1)


_ASCII_PUNCTUATION = str.maketrans("", "", string.punctuation)


def _without_punctuation(text: str) -> str:
    return text.translate(_ASCII_PUNCTUATION) if text.isascii() else _punctuation().sub("", text)


@cache
def _articles(language: str) -> re.Pattern[str] | None:
    return re.compile(ARTICLES[language]) if language in ARTICLES else None


@cache
def _characters() -> "regex.Pattern[str]":
    """Match one code point of a script without blanks; like MLQA's script, it separates vowel signs."""
    scripts = "".join(rf"\p{{{name}}}" for name in UNSPACED_SCRIPTS)
    return regex.compile(rf"[{scripts}ーｰ〆]", regex.V1)
