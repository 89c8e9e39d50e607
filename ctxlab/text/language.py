"""The language of a text as far as its script tells, for the rules that differ from one to the next.

``task.language`` says it; without it the script decides. Latin script counts as English, whose rules (articles of
SQuAD, sacrebleu's 13a) are the field's defaults.
"""

from collections import Counter
from collections.abc import Iterable
from functools import cache, lru_cache

import regex

from ctxlab.core.errors import UserError

DEFAULT = "en"
"""For a text that says nothing: numbers alone, say."""

SAMPLE_CHARACTERS = 4000
"""Of each text, from its beginning, that the script is told by."""

KANA_SHARE = 0.05
"""Of Han and Kana together, from which on a text is Japanese: titles in Chinese may name a Japanese brand."""

BY_SCRIPT = {
    "Latin": "en", "Han": "zh", "Hangul": "ko", "Thai": "th", "Lao": "lo", "Khmer": "km", "Myanmar": "my",
    "Tibetan": "bo", "Devanagari": "hi", "Bengali": "bn", "Gurmukhi": "pa", "Gujarati": "gu", "Oriya": "or",
    "Tamil": "ta", "Telugu": "te", "Kannada": "kn", "Malayalam": "ml", "Sinhala": "si", "Arabic": "ar",
    "Hebrew": "he", "Armenian": "hy", "Georgian": "ka", "Ethiopic": "am", "Greek": "el", "Cyrillic": "ru",
    "Hiragana": "ja", "Katakana": "ja",
}  # fmt: skip
"""Script of Unicode to the language that it stands for: its commonest one."""

_URDU, _PERSIAN = frozenset("ٹڈڑںےھہ"), frozenset("پچژگ")
"""Letters that Arabic does not have."""


@cache
def _scripts() -> "regex.Pattern[str]":
    """A letter of a script without blanks, or a run of letters of another one; its group names the script."""
    single = {"Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan"}
    return regex.compile(
        "|".join(rf"(?P<{name}>[\p{{{name}}}&&\p{{L}}]{'' if name in single else '++'})" for name in BY_SCRIPT),
        regex.V1,
    )


def checked(language: str | None) -> str:
    """The two or three letters of ``task.language``, lower case; "" where it is not given.

    Raises:
        UserError: It is no code of a language.
    """
    if not language:
        return ""
    code = str(language).replace("_", "-").split("-")[0].lower()
    if not (code.isascii() and code.isalpha() and 2 <= len(code) <= 3):
        raise UserError(
            f"task.language={language} is no code of a language: give two letters such as zh, ja, th or de."
        )
    return code


def told(value: object) -> str:
    """The code of the language that a record says it is in; "" where it says none, or something else by that name."""
    try:
        return checked(value) if isinstance(value, str) else ""
    except UserError:
        return ""


def by_script(*texts: str) -> str:
    """The language that most words of ``texts`` are written in, as far as their script tells; ``DEFAULT`` for none."""
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
    """The language that is ``given`` (a record's, or ``task.language``), else what the script of ``texts`` says."""
    return checked(given) or _known(tuple(text[:SAMPLE_CHARACTERS] for text in texts))
