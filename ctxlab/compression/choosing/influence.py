"""How much each layer changes the hidden states: 1 minus the mean cosine of what goes in and what comes out."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn.functional import cosine_similarity


def influence(layers: Sequence[torch.nn.Module], read: Callable[[bool], None]) -> list[float]:
    """Return the influence of each layer.

    Source: Men et al. 2024 (ShortGPT, arXiv:2403.03853). Deviation: padding counts, as a layer does not know of it.

    Args:
        layers: The layers.
        read: Runs the model; see ``core.compression.Subject``.
    """
    sums, counts = [0.0 for _ in layers], [0 for _ in layers]

    def keep(place: int) -> Callable[[Any, Any, Any, Any], None]:
        def after(_: Any, given: tuple[Any, ...], named: dict[str, Any], result: Any) -> None:
            before = given[0] if given else named["hidden_states"]
            states = result[0] if isinstance(result, tuple) else result
            change = 1 - cosine_similarity(before.detach().float(), states.detach().float(), dim=-1)
            sums[place] += float(change.sum())
            counts[place] += change.numel()

        return after

    hooks = [one.register_forward_hook(keep(place), with_kwargs=True) for place, one in enumerate(layers)]
    try:
        read(False)
    finally:
        for hook in hooks:
            hook.remove()
    return [total / max(count, 1) for total, count in zip(sums, counts, strict=True)]
