"""Values that are not finite, found before they reach the weights or a checkpoint."""

import math
from collections.abc import Iterable, Sequence

import torch

from ctxlab.core.errors import Diverged


def check_finite(name: str, value: float, step: int, document_ids: Sequence[str]) -> None:
    """Refuse to continue with a loss or gradient that is not finite, before the weights change.

    Args:
        name: What the value is, for the message: loss or gradient norm.
        value: The value.
        step: Number of the step.
        document_ids: Documents of its batch; the first five are named.

    Raises:
        Diverged: names the step and the documents.
    """
    if not math.isfinite(value):
        shown = ", ".join(list(dict.fromkeys(document_ids))[:5])
        raise Diverged(
            f"The {name} is {value} at step {step} (documents {shown}); the weights are unchanged since the step "
            "before: lower optimizer.lr, set trainer.precision=fp32, or check these documents."
        )


def check_weights(weights: Iterable[tuple[str, torch.Tensor]], step: int) -> None:
    """Refuse to save weights that are not finite, so that the last checkpoint can always be continued from.

    Args:
        weights: Name and values of each.
        step: Number of steps done.

    Raises:
        Diverged: names the first of them.
    """
    for name, values in weights:
        if not values.is_floating_point() or bool(torch.isfinite(values.sum())):
            continue
        if not bool(torch.isfinite(values).all()):  # a sum may overflow although no weight does
            raise Diverged(
                f"{name} is not finite after step {step}, so that no checkpoint of it is written; continue from the "
                "one before with a lower optimizer.lr."
            )
