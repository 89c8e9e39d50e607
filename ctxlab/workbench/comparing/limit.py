"""``limit.memory``: the memory that no cell may exceed."""

from collections.abc import Sequence

from ctxlab.core.errors import UserError
from ctxlab.workbench.comparing.candidate_checks import CheckedCandidate

ADAM_BYTES = 16
"""Bytes per trainable parameter: weight, gradient and two moments in fp32."""


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
