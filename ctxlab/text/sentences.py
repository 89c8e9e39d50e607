"""Sentence boundaries in every script: Unicode's sentence terminators, with additional rules for the common ones.

- A **stop of Latin script** (. ! ? …) ends a sentence where white space and then no lower-case letter follows, unless
  it ends an abbreviation, an initial, or the number of a day before a month.
- Every **other terminator** of Unicode (``Sentence_Terminal``: 。 । ؟ ۔ ። ။ ។ and 150 more), the half-width ｡ and the
  Tibetan shad always end a sentence.
- Closing quotation marks and brackets belong to the stop, also » after a blank as in French.
- Thai and Lao have no stops: there a **blank** between letters ends what is longer than ``LEAST_UNSTOPPED`` characters.
- A **cap**: text longer than ``MOST_CHARACTERS`` without any of these is split at its last comma, semicolon or blank,
  or within a word where it has none.

Every pattern visits a character a bounded number of times, so that the time is linear in the text.
"""

import re
from collections.abc import Iterator
from functools import cache, lru_cache

import regex

from ctxlab.text.clusters import end_of
from ctxlab.text.language import by_script
from ctxlab.text.units import is_single

MOST_CHARACTERS, MOST_SINGLE = 2000, 400
"""Longest sentence in characters, and in a script without blanks: longer than in novels, far shorter than a book."""

LEAST_UNSTOPPED = 10
"""Minimum characters of a Thai or Lao phrase that a blank ends; names of two words are shorter."""

COMMON = (
    r"Mr|Mrs|Ms|Dr|St|Prof|Capt|Col|Gen|Lt|Rev|Hon|Sr|Jr|vs|e\.g|i\.e"  # English
    r"|bzw|usw|evtl|ggf|vgl|Nr|Hr|Abb|Aufl|Jh|inkl|zzgl|sog|Mio|Mrd|Dipl"  # German
    r"|Mme|Mmes|Mlle|Ste|Sra|Srta|Dra|Ud|Uds|pág|núm|Sig|Dott|Avv|Exmo"  # Romance
    r"|dhr|mevr|drs|bijv|enz|blz|itd|itp|inż|mgr|bkz"  # Dutch, Polish, Turkish
    r"|гг|др|пр|т\. ?е|т\. ?д|т\. ?п|т\. ?к|им|ул|стр|рис|руб|тыс|млн|млрд|\p{Lu}"  # Russian, and initials
)
"""Abbreviations after which a full stop does not end a sentence, in every language: none is an English word."""

BEFORE_NUMBERS = r"[Nn]os?|Figs?|Tabs?|Eqs?|Secs?|Ch|Vol|pp?|cf|Art|Kap|Abs|Bd|pág|págs|рис|с|гл"
"""Abbreviations only where a digit follows: "No. 5" continues, and "No. He stayed." has two sentences."""

ABBREVIATIONS = {
    "de": r"ca|Str|Fr|Abs|Bd|geb|gest|Tel|Ing|St|Art|Kap|Anm|Hrsg",
    "fr": r"M|MM|Pr|av|env|cf|etc|p\. ?ex|chap|éd|vol|art",
    "es": r"D|Dª|Vd|págs|av|art|aprox|EE\. ?UU|ej",
    "it": r"Sigg|Ing|ecc|pag|art|n",
    "pt": r"art|Av|ex",
    "nl": r"ir|nr|ca",
    "ru": r"г|в|вв|с",
    "pl": r"np|ul|prof|dr|hab|wg|nr|str|r|w|m\. ?in",
    "sv": r"bl\.a|t\.ex|m\.fl|dvs|kl|nr",
    "tr": r"Av|Sn|vb|no",
}
"""More abbreviations by language: some of them are words of other languages."""

_MONTHS = (
    r"Jan|Jänner|Feb|März|Apr|Mai|Juni|Juli|Aug|Sept|Okt|Nov|Dez|Jahrhundert|Jh|januar|februar|mars|april|maj|mai|juni|"
    r"juli|august|september|oktober|november|desember|december"
)
_LATIN = ".!?…"
_OTHER = r"[[\p{Sentence_Terminal}\u0f0d-\u0f11\uff61]--[.!?…\uff0e]]"
_OPENING = "\"'“‘„«»‹›([_¿¡"
_GREEK, _UNSTOPPED = "\u0370-\u03ff\u1f00-\u1fff", "\u0e01-\u0eff"
"""Ranges of Greek, and of the scripts whose sentences end in a blank only: Thai and Lao."""


@cache
def _stop(with_greek: bool, with_unstopped: bool) -> re.Pattern[str]:
    """Match everything that may end a sentence, with closing marks and white space after it.

    Patterns of single scripts are left out for texts without them, and classes are spelt out for Python's own ``re``:
    both make long texts fast.
    """
    latin, other, closing = _LATIN, _characters(rf"{_OTHER}|\uff0e"), _characters(r"[\p{Pe}\p{Pf}\"']")
    guillemet = r"(?:»(?=\s|$)\s*+)?+"  # French writes a blank before it
    parts = [
        rf"[{latin}](?<![{latin}][{latin}])(?P<rest>[{latin}]*+)[\"'”’“»«›‹)\]]*+\s++{guillemet}",
        rf"(?P<other>[{other}][{latin}{other}]*+)(?:\s?»|[{closing}])*+\s*+",
    ]
    if with_greek:
        parts.append(r"[;\u037e]\s++")
    if with_unstopped:
        parts.append(rf"(?P<blank>[ \u00a0\u3000](?<=[{_UNSTOPPED}].)[ \u00a0\u3000]*+(?=[{_UNSTOPPED}]))")
    return re.compile("|".join(parts))


@cache
def _characters(of: str) -> str:
    """Return all characters of a Unicode punctuation class, escaped for a class of ``re``."""
    every = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x20000)]))  # the planes above have no punctuation
    return re.escape("".join(regex.findall(of, every, regex.V1)))


@cache
def _abbreviated(language: str) -> "regex.Pattern[str]":
    own = f"|{ABBREVIATIONS[language]}" if language in ABBREVIATIONS else ""
    return regex.compile(rf"(?<![\w\p{{M}}])(?:{COMMON}{own})$", regex.V1)


@cache
def _day() -> "regex.Pattern[str]":
    return regex.compile(r"(?<![\w.,])\d{1,2}$")


@cache
def _day_after() -> "regex.Pattern[str]":
    """Match a month after the number of a day, or a year after both: "1. 5. 1990"."""
    return regex.compile(r"\d{1,2}\.|(?<=\b\d{1,2}\.\s\d{1,2}\.\s)\d{4}\b")


@cache
def _quotative() -> "regex.Pattern[str]":
    """Match the Japanese particle after a quotation within a sentence: 「行こう。」と言った."""
    return regex.compile(r"と(?![てもこきり])|って")


@cache
def _month() -> "regex.Pattern[str]":
    return regex.compile(_MONTHS)


@cache
def _numbered() -> "regex.Pattern[str]":
    """Match a German article before a number, an ordinal: "der 2. Weltkrieg"."""
    return regex.compile(r"(?<!\w)(?:der|dem|des|das|im|vom|zum|zur|beim)\s\d{1,3}$")


@cache
def _before_number() -> "regex.Pattern[str]":
    return regex.compile(rf"(?<![\w\p{{M}}])(?:{BEFORE_NUMBERS})$", regex.V1)


@cache
def _year() -> "regex.Pattern[str]":
    """Match the Russian abbreviation of "year" or "century" after its number, which may end a sentence."""
    return regex.compile(r"[\dIVX]\s?[гв]{1,2}$")


@cache
def _letter_pair() -> "regex.Pattern[str]":
    """Match the second half of an abbreviation of single letters: "z. B."."""
    return regex.compile(r"\p{L}\.", regex.V1)


def sentence_starts(text: str, start: int = 0, end: int | None = None, language: str = "") -> Iterator[int]:
    """Yield the first characters of the sentences of ``text[start:end]`` after its first one, ascending.

    Args:
        text: Running text.
        start: Start of the first sentence.
        end: End of the last sentence; None is the end of the text.
        language: Language whose abbreviations are added (``task.language``); else that of the script.
    """
    end, language = len(text) if end is None else end, language or by_script(text)
    begin = start
    for place in _stops(text, start, end, language):
        yield from _capped(text, begin, place)
        yield place
        begin = place
    yield from _capped(text, begin, end)


def _stops(text: str, start: int, end: int, language: str) -> Iterator[int]:
    begin = start
    for stop in _stop(*_scripts(text)).finditer(text, start, end):
        if stop.end() < end and _ends(text, start, stop=stop, language=language, length=stop.start() - begin):
            begin = stop.end()
            yield begin


@lru_cache(256)
def _scripts(text: str) -> tuple[bool, bool]:
    """Return whether a text has Greek, and whether it has a script without stops."""
    if text.isascii():
        return False, False
    return tuple(re.search(f"[{part}]", text) is not None for part in (_GREEK, _UNSTOPPED))  # type: ignore[return-value]


def _ends(text: str, start: int, stop: re.Match[str], language: str, length: int) -> bool:
    """Whether a sentence of ``length`` characters that begins at or after ``start`` ends at ``stop``."""
    groups = stop.groupdict()
    if groups.get("blank") is not None:
        return length >= LEAST_UNSTOPPED
    if groups["other"] is not None:
        if stop["other"] == "\uff0e" and text[stop.end() : stop.end() + 1].isdigit():  # a full-width decimal
            return False
        return not (text[stop.end() - 1] in "」』" and _quotative().match(text, stop.end()))
    if text[stop.start()] in ";\u037e" and not re.match(f"[{_GREEK}]", text[max(stop.start() - 1, 0)]):
        return False
    return not _continues(text, start, stop, language)


def _continues(text: str, start: int, stop: re.Match[str], language: str) -> bool:
    """Whether the sentence continues after a stop of Latin script."""
    place, at = stop.end(), stop.start()
    if text[place : place + 3].lstrip(_OPENING)[:1].islower():
        return True
    if text[at] != "." or stop["rest"]:
        return False
    before = text[max(start, at - 12) : at]
    if _abbreviated(language).search(before):
        return not _year().search(before)
    if text[place : place + 1].isdigit() and _before_number().search(before):
        return True
    if _day().search(before):
        return any(pattern.match(text, place) for pattern in (_month(), _day_after())) or bool(
            _numbered().search(before)
        )
    is_letter = before[-1:].isalpha() and not before[-2:-1].isalnum()
    return is_letter and _letter_pair().match(text, place) is not None


def _capped(text: str, start: int, end: int) -> Iterator[int]:
    """Yield the places at which an overlong sentence is split."""
    while end - start > MOST_SINGLE:
        most = MOST_SINGLE if _is_unspaced(text, start) else MOST_CHARACTERS
        if end - start <= most:
            return
        if end - start <= most * 3 // 2:  # two equal halves rather than a full piece and a short rest
            most = (end - start) // 2 + 1
        start = _cut(text, start, start + most)
        yield start


def _is_unspaced(text: str, start: int) -> bool:
    sample = text[start : start + 200]
    return not sample.isascii() and sum(map(is_single, sample)) > len(sample) // 2


def _cut(text: str, start: int, most: int) -> int:
    """Return a split point up to ``most``: after the last comma or blank of the second half, else after a character."""
    half = (start + most) // 2
    for pattern in (_comma(), _blank()):
        places = [match.end() for match in pattern.finditer(text, half, most)]
        if places:
            return int(places[-1])
    return end_of(text, most)


@cache
def _comma() -> "regex.Pattern[str]":
    return regex.compile(r"[,;:]\s++|[，、；：،؛፣፤、､]\s*+|་\s", regex.V1)


@cache
def _blank() -> "regex.Pattern[str]":
    return regex.compile(r"\s++")
