"""``limit.memory``: the memory that no cell may exceed."""

import re
from collections.abc import Sequence

from ctxlab.core.errors import UserError
from ctxlab.workbench.comparing.candidate_checks import CheckedCandidate

UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
"""Unit in capital letters → bytes."""

ADAM_BYTES = 16
"""Bytes per trainable parameter: weight, gradient and two moments in fp32."""


def parse_bytes(text: str | None) -> int | None:
    """Return ``8GB`` or ``500MiB`` as a number of bytes; raises UserError for anything else."""
    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMG]I?B)?\s*", str(text), re.IGNORECASE)
    if not found or not float(found[1]):
        raise UserError(f"limit.memory={text} is not an amount of memory: write for example 8GB or 500MiB.")
    return int(float(found[1]) * UNITS[(found[2] or "").upper()])


def check_limit(text: str | None, limit: int | None, found: Sequence[CheckedCandidate]) -> None:
    """Refuse a limit that no candidate can meet.

    Raises:
        UserError: names the memory that the smallest candidate needs for its weights and optimizer alone.
    """
    sizes = [one.work.learning_parameters * ADAM_BYTES for one in found if one.work is not None]
    if limit is not None and sizes and min(sizes) > limit:
        raise UserError(
            f"limit.memory={text} can be met by no candidate: weights, gradients and optimizer states alone take "
            f"{min(sizes) / 2**20:,.0f} MiB."
        )
