"""Numbers as they are written: digits of any script, in groups."""

import unicodedata

BLANK = r"(?:\r\n|[ \t\r\n\u00a0\u2007\u2009\u202f])"
"""One blank, or the end of a line."""

HYPHEN = r"[-\u2010\u2011\u2012\u2013\u2212]"
"""One of the signs that are written as a hyphen."""


def digits_of(written: str) -> str:
    """Return the digits of a number as 0 to 9, without anything else."""
    return "".join(str(unicodedata.decimal(one)) for one in written if unicodedata.category(one) == "Nd")
