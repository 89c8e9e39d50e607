"""``limit.memory``: the memory that no cell may exceed."""

from collections.abc import Sequence
from dataclasses import replace

from ctxlab.core.errors import UserError
from ctxlab.workbench.comparing.candidate_checks import CheckedCandidate

SURE = 0.9
"""Fraction of the predicted memory that a cell certainly needs."""

HELP = "use a shorter context, a lower trainer.tokens_per_forward, or trainer.activation_checkpointing=true"


def within_limit(text: str | None, limit: int | None, found: Sequence[CheckedCandidate]) -> list[CheckedCandidate]:
    """Return the candidates, with those refused that need more memory than ``limit`` bytes by their plan.

    Raises:
        UserError: No candidate can meet the limit; names the memory that the smallest one needs.
    """
    sizes = [one.work.peak_bytes for one in found if one.work is not None]
    if limit is None or not sizes:
        return list(found)
    if SURE * min(sizes) > limit:
        raise UserError(
            f"limit.memory={text} can be met by no candidate: the smallest needs about {min(sizes) / 2**20:,.0f} MiB."
        )
    return [
        replace(one, refused=_sentence(text, one.work.peak_bytes), work=None)
        if one.work is not None and SURE * one.work.peak_bytes > limit
        else one
        for one in found
    ]


def _sentence(text: str | None, peak: int) -> str:
    return f"it needs about {peak / 2**20:,.0f} MiB, more than limit.memory={text}: {HELP}."
