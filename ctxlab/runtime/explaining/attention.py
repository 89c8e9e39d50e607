"""The attention of the windows that a score is made from.

Shape legend: W tokens of a window.
"""

from collections.abc import Mapping
from typing import Any

import torch

from ctxlab.core.architecture import pooled_places
from ctxlab.core.errors import UserError
from ctxlab.core.explanation import Attended, Target
from ctxlab.core.passes import Item
from ctxlab.runtime.explaining import weights
from ctxlab.runtime.explaining.reads import Reads
from ctxlab.runtime.forward import Passes, model_call


@torch.inference_mode()
def attended(reads: Reads, target: Target, longest: int, *, pooled: bool) -> list[Attended]:
    """Return the attention of each window that has outputs of the target.

    Args:
        reads: The document.
        target: What is explained.
        longest: Most tokens of a window.
        pooled: Whether the model's head has one output per window.

    Raises:
        UserError: A window is longer, or not all attention weights are known.
    """
    reader, plan = reads.reader, reads.plan(target)
    weights.check_known(reader.model, reader.strategy)
    total = sum(float(share.weights.sum()) for share in plan.shares.values())
    found = []
    for number, share in plan.shares.items():
        window = reads.windows[number]
        if len(window) > longest:
            raise UserError(
                f"A window of {len(window):,} tokens has {len(window) ** 2:,} attention weights a layer, more than "
                f"for explanation.longest={longest}: use explanation=gradient, or raise it."
            )
        start = torch.zeros(len(window))
        if pooled:
            places = pooled_places(reader.model, len(window))
            start[places] = float(share.weights.sum()) / total / len(places)
        else:
            start.index_add_(0, torch.from_numpy(share.places), torch.from_numpy(share.weights / total).float())
        found.append(Attended(window.token_index, _layers(reads, number), start))
    return found


def _layers(reads: Reads, number: int) -> list[torch.Tensor]:
    """Return the weights (W, W) of each layer in one window."""
    i = reads.item_of(number)
    reader, item, w = reads.reader, reads.items[i], number - reads.first[i]
    alone = Item(0, [item.windows[w]], [item.labels[w]], [item.marks[w]], numbers=item.numbers[w : w + 1])
    held: list[list[torch.Tensor]] = []

    def forward(inputs: Mapping[str, Any]) -> Any:
        with weights.recorded(reader.model, reader.strategy, inputs) as layers:
            output = model_call(reader.model)(inputs)
        held.append([one.cpu() for one in layers])
        return output

    reads.pause(len(item.windows[w]))
    reader.model.eval()
    with reader.strategy.attention.reading():
        list(Passes(reader.strategy, forward, reader.pad_id, reader.device).run([alone]))
    if not held[-1]:
        raise UserError(
            "explanation=rollout: the attention of this model is not called by the library's interface: use "
            "explanation=gradient or explanation=occlusion."
        )
    return held[-1]
