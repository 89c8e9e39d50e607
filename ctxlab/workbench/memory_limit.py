"""``limit.memory`` as a number of bytes."""

import re

from ctxlab.core.errors import UserError

UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
"""Unit in capital letters → bytes."""


def parse_bytes(text: str | None) -> int | None:
    """Return ``8GB`` or ``500MiB`` as a number of bytes; raises UserError for anything else."""
    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMG]I?B)?\s*", str(text), re.IGNORECASE)
    if not found or not float(found[1]):
        raise UserError(f"limit.memory={text} is not an amount of memory: write for example 8GB or 500MiB.")
    return int(float(found[1]) * UNITS[(found[2] or "").upper()])
