"""Guessing the encoding of texts in Latin script by the alphabets of the languages that it is used for.

Most bytes are letters in several encodings: ``é`` in one is ``Ž``, ``ķ`` or ``й`` in another. A text is in the encoding
in which its letters are those of one language.
"""

import re
from collections.abc import Mapping

_WESTERN = (
    "àâæçèéêëîïôœùûüÿ", "äöüß", "áéíñóúü¿¡ªº", "áàâãçéêíóôõúüªº", "àèéìíîòóùú", "áèéëïíóöúü", "åäöé", "æøåéèóòôêü",
    "àçèéíïóòúü",
)  # fmt: skip
"""French, German, Spanish, Portuguese, Italian, Dutch, Swedish and Finnish, Danish and Norwegian, Catalan."""

ALPHABETS: Mapping[str, tuple[str, ...]] = {
    "cp1252": (*_WESTERN, "áðéíóúýþæö"),  # Icelandic
    "mac_roman": _WESTERN,
    "cp1250": ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž"),
    "iso8859_2": ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž"),  # the other three have the bytes of CP1250
    "cp1254": ("çğıöşüâîûİ",),  # Turkish
    "cp1257": ("ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž"),  # Lithuanian, Latvian, Estonian
}
"""Encoding → non-ASCII letters of each of its languages; of encodings that fit equally the first is taken.

CP1250 is that of Polish, Czech, Slovak, Hungarian, Romanian, and of Croatian and Slovene.
"""

_MARKS = frozenset("“”‘’„‚‹›«»–—…•·°€£§©®™\xa0\xad")
"""Characters of every language."""

LEAST_SHARE = 0.9
"""Fraction of the non-ASCII characters that must be letters of one language, or marks; the others may be names."""

_BESIDE_LETTER = re.compile(rb"(?<=[A-Za-z])[\x80-\xff]|[\x80-\xff](?=[A-Za-z])")
_HIGH = re.compile(rb"[\x80-\xff]")


def is_latin(sample: bytes) -> bool:
    """Return whether most non-ASCII bytes stand beside ASCII letters, as in no other script with a byte a letter."""
    return 2 * len(_BESIDE_LETTER.findall(sample)) >= len(_HIGH.findall(sample)) > 0


def latin_encoding(sample: bytes) -> str | None:
    """Return the encoding whose alphabets fit ``sample`` best, by Python's name; None if none fits."""
    shares = {codec: _share(sample, codec) for codec in ALPHABETS}
    best = max(shares, key=lambda codec: shares[codec])
    return best if shares[best] >= LEAST_SHARE else None


def _share(sample: bytes, codec: str) -> float:
    """Return the largest fraction of non-ASCII characters that one language explains."""
    wide = [character for character in sample.decode(codec, "replace") if not character.isascii()]
    return max(_explained(wide, alphabet) for alphabet in ALPHABETS[codec])


def _explained(characters: list[str], alphabet: str) -> float:
    known = _MARKS | set(alphabet) | set(alphabet.upper())
    return sum(character in known for character in characters) / max(len(characters), 1)
