"""The language of a text, guessed from its script, for rules that differ between languages.

``task.language`` overrides the guess. Latin script counts as English, whose rules (articles of SQuAD, sacrebleu's 13a)
are the field's defaults.
"""

from collections import Counter
from collections.abc import Iterable
from functools import cache, lru_cache

import regex

from ctxlab.core.errors import UserError

DEFAULT = "en"
"""The language of a text without letters, such as numbers only."""

SAMPLE_CHARACTERS = 4000
"""Characters at the beginning of each text by which the script is detected."""

KANA_SHARE = 0.05
"""Fraction of Kana among Han and Kana from which on a text is Japanese: Chinese titles may name a Japanese brand."""

BY_SCRIPT = {
    "Latin": "en", "Han": "zh", "Hangul": "ko", "Thai": "th", "Lao": "lo", "Khmer": "km", "Myanmar": "my",
    "Tibetan": "bo", "Devanagari": "hi", "Bengali": "bn", "Gurmukhi": "pa", "Gujarati": "gu", "Oriya": "or",
    "Tamil": "ta", "Telugu": "te", "Kannada": "kn", "Malayalam": "ml", "Sinhala": "si", "Arabic": "ar",
    "Hebrew": "he", "Armenian": "hy", "Georgian": "ka", "Ethiopic": "am", "Greek": "el", "Cyrillic": "ru",
    "Hiragana": "ja", "Katakana": "ja",
}  # fmt: skip
"""Unicode script to the most common language written in it."""

_URDU, _PERSIAN = frozenset("ٹڈڑںےھہ"), frozenset("پچژگ")
"""Letters that Arabic lacks, by which Urdu and Persian are detected."""


@cache
def _scripts() -> "regex.Pattern[str]":
    """Match a letter of a script without blanks, or a run of letters of another script; the group is the script."""
    single = {"Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan"}
    return regex.compile(
        "|".join(rf"(?P<{name}>[\p{{{name}}}&&\p{{L}}]{'' if name in single else '++'})" for name in BY_SCRIPT),
        regex.V1,
    )


def checked(language: str | None) -> str:
    """Return the lower-cased code of ``task.language``, two or three letters; "" where it is not given.

    Raises:
        UserError: It is not a language code.
    """
    if not language:
        return ""
    code = str(language).replace("_", "-").split("-")[0].lower()
    if not (code.isascii() and code.isalpha() and 2 <= len(code) <= 3):
        raise UserError(f"task.language={language} is not a language code: give two letters such as zh, ja, th or de.")
    return code


def language_field(value: object) -> str:
    """Return the language code in the field ``language`` of a record; "" where it is missing or not a code."""
    try:
        return checked(value) if isinstance(value, str) else ""
    except UserError:
        return ""


def by_script(*texts: str) -> str:
    """Guess the language of most words of ``texts`` from their script; ``DEFAULT`` without letters."""
    found: Counter[str] = Counter()
    for text in texts:
        found.update(_counted(text[:SAMPLE_CHARACTERS]))
    kana = found.pop("ja", 0)
    if kana and kana >= KANA_SHARE * (kana + found["zh"]):
        kana += found.pop("zh", 0)
    found["ja"] = kana
    code, count = max(found.items(), key=lambda item: item[1], default=(DEFAULT, 0))
    if not count:
        return DEFAULT
    return _of_arabic(texts) if code == "ar" else code


def _counted(text: str) -> Counter[str]:
    if text.isascii():
        return Counter({"en": len(text.split())}) if any(map(str.isalpha, text)) else Counter()
    return Counter(BY_SCRIPT[str(match.lastgroup)] for match in _scripts().finditer(text))


def _of_arabic(texts: Iterable[str]) -> str:
    letters = set().union(*(text[:SAMPLE_CHARACTERS] for text in texts))
    return "ur" if letters & _URDU else "fa" if letters & _PERSIAN else "ar"


@lru_cache(4096)
def _known(samples: tuple[str, ...]) -> str:
    return by_script(*samples)


def language_of(given: str | None, *texts: str) -> str:
    """Return the ``given`` language (a record's, or ``task.language``), else the guess from the script of ``texts``."""
    return checked(given) or _known(tuple(text[:SAMPLE_CHARACTERS] for text in texts))
