"""The seconds of forward and backward passes: of all layers at a short length, of some at the length of the run."""

from collections.abc import Sequence
from time import perf_counter

import numpy as np
import torch

from ctxlab.core.architecture import decoder_layers, first_layers, layers
from ctxlab.core.passes import Item
from ctxlab.planning import growth
from ctxlab.planning.shape import CONSTANT, PAIRS, TOKENS, Terms
from ctxlab.runtime.cost import FlopCounter
from ctxlab.training.loop import Trainer
from ctxlab.training.stream import Epoch
from ctxlab.workbench.planning import shapes

TERMS = (TOKENS, PAIRS, CONSTANT)
"""Terms of time: short passes take longer per token, as the program itself takes time."""

PART = 4
"""One in so many layers is timed at the length of the run, at least two of them; all where only some are trained."""

PART_SECONDS = 1.0
"""Estimated seconds that these layers may take; longer passes are cut, and extrapolated from there."""

QUICK_SECONDS = 0.15
"""Passes up to this long are timed twice in any case."""


def pass_seconds(trainer: Trainer, epoch: Epoch, short: Sequence[Item], flops: Terms) -> Terms:
    """Return the coefficients of the seconds of a forward pass and its backward pass.

    At the length of the run, the layers that are not timed count as the timed ones after the first do.

    Args:
        trainer: The loop, after steps with ``short``.
        epoch: Its largest forward pass is that of the run.
        short: Items of a short step.
        flops: Coefficients of the floating point operations, by which passes that take too long are cut.
    """
    whole = _seconds(trainer, short)
    near = shapes.group_shapes(trainer, short)[0].terms
    rate = float(flops @ near) / whole
    model = trainer.job.model
    is_uneven = len({_learns(layer) for layer in (*layers(model), *decoder_layers(model))}) > 1
    with first_layers(model, 1) as num_layers:
        timed = num_layers if is_uneven else max(num_layers // PART, 2)
        long = _affordable(trainer, epoch, flops * min(timed / num_layers, 1.0), PART_SECONDS * rate)
        far = shapes.group_shapes(trainer, long)[0].terms
        seconds = _seconds(trainer, long, is_new=True)
    if timed > 1:
        with first_layers(model, timed):
            some = _seconds(trainer, long)
        seconds += (num_layers - 1) * max(some - seconds, 0.0) / (timed - 1)
    return growth.fit(np.asarray([near, far]), np.asarray([[whole], [seconds]]), TERMS)[:, 0]


def _learns(layer: torch.nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in layer.parameters())


def _seconds(trainer: Trainer, items: Sequence[Item], *, is_new: bool = False) -> float:
    """Return the seconds of the forward and backward passes of a step, the better of two where they are quick.

    Args:
        trainer: The loop.
        items: Items of the step.
        is_new: Whether passes of their shape come for the first time, which compiles kernels: the first is not timed.
    """
    epoch = shapes.short_epoch(items)
    found: list[float] = []
    while not found or (len(found) < 2 and (is_new or found[0] < QUICK_SECONDS)):
        started = perf_counter()
        with FlopCounter():  # as in training
            trainer.accumulation.step(epoch, epoch.steps[0])
        found.append(perf_counter() - started)
        trainer.optimizer.zero_grad()
    return min(found)


def _affordable(trainer: Trainer, epoch: Epoch, flops: Terms, most: float) -> list[Item]:
    """Return the items of the epoch's largest forward pass, cut until it takes at most ``most`` operations."""

    def cost(items: Sequence[Item]) -> float:
        return float(flops @ shapes.group_shapes(trainer, items)[0].terms)

    items = max(shapes.groups(trainer, epoch), key=cost)
    while cost(items) > most:
        windows, width = max(len(item.windows) for item in items), max(len(w) for item in items for w in item.windows)
        if len(items) > 1:
            items = items[: len(items) // 2]
        elif windows > 1:
            items = [shapes.shortened(items[0], windows // 2, width)]
        elif width > 1:
            items = [shapes.shortened(items[0], 1, width // 2)]
        else:
            break
    return items
