"""Guessing the encoding of a file that is not UTF-8."""

import codecs
import re

from ctxlab.data.readers.latin import is_latin, latin_encoding

_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
"""Byte order marks, the longer ones first: one of UTF-32 begins with one of UTF-16."""

NAMES = {
    "gb18030": "GB18030", "big5": "BIG5", "cp932": "SHIFT_JIS", "euc_jp": "EUC-JP", "cp949": "CP949",
    "cp1250": "CP1250", "cp1251": "CP1251", "cp1252": "CP1252", "cp1253": "CP1253", "cp1254": "CP1254",
    "cp1255": "CP1255", "cp1256": "CP1256", "cp1257": "CP1257", "cp1258": "CP1258", "cp874": "CP874",
    "koi8_r": "KOI8-R", "iso8859_2": "ISO-8859-2", "mac_roman": "MACINTOSH",
}  # fmt: skip
"""Encodings that are still in use: Python's name → name in ``iconv``."""

SAMPLE_BYTES = 1 << 16
"""Bytes of non-ASCII lines from the start of the file that are examined."""

KANA_SHARE = 0.2
"""Fraction of kana among non-ASCII characters above which a text counts as Japanese."""

_SEVEN_BIT = b"\x1b$"
"""Start of wide characters in ISO-2022-JP, which has no byte above 127."""

_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
"""Bytes of no text in an encoding of bytes; UTF-16 has them in blanks, line ends and full stops of every script."""

_COMMON = "\n\r\t ,.。，、"
"""Characters of which a text has some; with their two bytes exchanged they are none of these."""


def encoding_of(data: bytes) -> str | None:
    """Return a name for ``iconv -f``; None if no encoding fits.

    A byte order mark decides, or the bytes of blanks and full stops in UTF-16. Texts in Latin script are judged by
    their letters (``latin``), and ``charset-normalizer`` rates the others in each of ``NAMES``. One of its errors is
    corrected: EUC-JP, whose kana are also valid characters of Chinese and Korean encodings.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    if _SEVEN_BIT in data and data.isascii():
        return "ISO-2022-JP"
    return _utf16(data) or _eight_bit(_sample(data))


def is_disguised(data: bytes) -> bool:
    """Return whether ``data``, which is valid UTF-8, may be in another encoding whose bytes are ASCII characters."""
    return b"\0" in data or _SEVEN_BIT in data


def _utf16(data: bytes) -> str | None:
    """Recognise UTF-16 without a byte order mark: spaces, line ends and full stops show the order of the two bytes."""
    pairs = data[: min(SAMPLE_BYTES, len(data) // 2 * 2)]
    if _CONTROL.search(pairs) is None:
        return None
    found = {name: pairs.decode(name, "replace") for name in ("UTF-16LE", "UTF-16BE")}
    counts = {name: sum(map(text.count, _COMMON)) for name, text in found.items()}
    name, other = sorted(counts, key=lambda name: counts[name], reverse=True)
    damaged = found[name].count("\ufffd") * 100 > len(found[name])
    return None if damaged or counts[name] <= 10 * counts[other] else name


def _sample(data: bytes) -> bytes:
    """Return complete lines with non-ASCII bytes."""
    lines = b"\n".join(line for line in data[: 16 * SAMPLE_BYTES].split(b"\n")[:-1] or [data] if not line.isascii())
    return (lines or data)[:SAMPLE_BYTES]


def _eight_bit(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes  # a hundred encodings are imported with it

    for codec in ("euc_jp", "cp932"):
        if _is_japanese(sample, codec):
            return NAMES[codec]
    found = next((match.encoding for match in from_bytes(sample, cp_isolation=list(NAMES))), None)
    if is_latin(sample):
        found = latin_encoding(sample) or found
    return None if found is None else NAMES[found]


def _is_japanese(sample: bytes, codec: str) -> bool:
    text = sample.decode(codec, "replace")
    wide = [character for character in text if not character.isascii()]
    kana = sum("\u3041" <= character <= "\u30fe" for character in wide)
    return kana >= KANA_SHARE * max(len(wide), 1) and wide.count("\ufffd") <= len(wide) // 50
