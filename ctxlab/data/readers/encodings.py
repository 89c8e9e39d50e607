"""Guessing the encoding of a file that is not UTF-8."""

import codecs

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
    "koi8_r": "KOI8-R",
}  # fmt: skip
"""Encodings that are still in use: Python's name → name in ``iconv``."""

SAMPLE_BYTES = 1 << 16
"""Bytes of non-ASCII lines from the start of the file that are examined."""

KANA_SHARE = 0.2
"""Fraction of kana among non-ASCII characters above which a text counts as Japanese."""

_CENTRAL_EUROPEAN = frozenset("ąćęłńśźżčďěňřšťůžőűĄĆĘŁŃŚŹŻČĎĚŇŘŠŤŮŽŐŰ")
"""Letters that distinguish CP1250 from CP1252, the more common one."""


def encoding_of(data: bytes) -> str | None:
    """Return a name for ``iconv -f``; None if no encoding fits.

    A byte order mark decides, or zeros beside ASCII letters (UTF-16 without a mark); else ``charset-normalizer`` rates
    the text in each of ``NAMES``. Two of its errors are corrected: EUC-JP, whose kana are also valid characters of
    Chinese and Korean encodings, and Western texts, which are also valid CP1250.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    return _utf16(data) or _eight_bit(_sample(data))


def _utf16(data: bytes) -> str | None:
    """Recognise UTF-16 without a mark: every second byte of ASCII text is zero."""
    pairs = data[: SAMPLE_BYTES // 2 * 2]
    high, low = pairs[1::2].count(0), pairs[::2].count(0)
    if max(high, low) < len(pairs) // 10 or min(high, low) > max(high, low) // 10:
        return None
    return "UTF-16LE" if high > low else "UTF-16BE"


def _sample(data: bytes) -> bytes:
    """Return complete lines with non-ASCII bytes."""
    lines = b"\n".join(line for line in data[: 16 * SAMPLE_BYTES].split(b"\n")[:-1] or [data] if not line.isascii())
    return (lines or data)[:SAMPLE_BYTES]


def _eight_bit(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes  # a hundred encodings are imported with it

    for codec in ("euc_jp", "cp932"):
        if _is_japanese(sample, codec):
            return NAMES[codec]
    found = [match.encoding for match in from_bytes(sample, cp_isolation=list(NAMES))]
    if found[:1] == ["cp1250"] and not _CENTRAL_EUROPEAN & set(sample.decode("cp1250", "ignore")):
        found[0] = "cp1252"
    return NAMES[found[0]] if found else None


def _is_japanese(sample: bytes, codec: str) -> bool:
    text = sample.decode(codec, "replace")
    wide = [character for character in text if not character.isascii()]
    kana = sum("\u3041" <= character <= "\u30fe" for character in wide)
    return kana >= KANA_SHARE * max(len(wide), 1) and wide.count("\ufffd") <= len(wide) // 50
