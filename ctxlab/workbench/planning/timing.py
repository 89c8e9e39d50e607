"""The seconds of forward and backward passes: of all layers at a short length, of two at the length of the run."""

from collections.abc import Sequence
from time import perf_counter

import numpy as np

from ctxlab.core.architecture import first_layers
from ctxlab.core.passes import Item
from ctxlab.planning import growth
from ctxlab.planning.shape import CONSTANT, PAIRS, TOKENS, Terms
from ctxlab.runtime.cost import FlopCounter
from ctxlab.training.loop import Trainer
from ctxlab.training.state import TrainState
from ctxlab.training.stream import Epoch
from ctxlab.workbench.planning import shapes

TERMS = (TOKENS, PAIRS, CONSTANT)
"""Terms of time: short passes take longer per token, as the program itself takes time."""

LAYER_SECONDS = 0.5
"""Estimated seconds that one layer may take; longer passes are cut, and extrapolated from there."""

QUICK_SECONDS = 0.15
"""Passes up to this long are timed twice: the first one compiles kernels for its shape."""


def pass_seconds(trainer: Trainer, epoch: Epoch, short: Sequence[Item], flops: Terms) -> Terms:
    """Return the coefficients of the seconds of a forward pass and its backward pass.

    At the length of the run, the second layer counts as often as the model has layers after the first.

    Args:
        trainer: The loop, after steps with ``short``.
        epoch: Its largest forward pass is that of the run.
        short: Items of a short step.
        flops: Coefficients of the floating point operations, by which passes that take too long are cut.
    """
    whole = _seconds(trainer, short)
    near = shapes.group_shapes(trainer, short)[0].terms
    with first_layers(trainer.job.model, 1) as num_layers:
        most = LAYER_SECONDS * float(flops @ near) / whole
        long = _affordable(trainer, epoch, flops / num_layers, most)
        far = shapes.group_shapes(trainer, long)[0].terms
        one = _seconds(trainer, long)
    if num_layers > 1:
        with first_layers(trainer.job.model, 2):
            two = _seconds(trainer, long)
        one += (num_layers - 1) * max(two - one, 0.0)
    return growth.fit(np.asarray([near, far]), np.asarray([[whole], [one]]), TERMS)[:, 0]


def _seconds(trainer: Trainer, items: Sequence[Item]) -> float:
    """Return the seconds of the forward and backward passes of a step, the better of two where they are quick."""
    epoch = shapes.short_epoch(items)
    found: list[float] = []
    while not found or (len(found) < 2 and found[0] < QUICK_SECONDS):
        started = perf_counter()
        with FlopCounter():  # as in training
            trainer.accumulate(TrainState(), epoch, epoch.steps[0])
        found.append(perf_counter() - started)
        trainer.optimizer.zero_grad()
    return min(found)


def _affordable(trainer: Trainer, epoch: Epoch, layer_flops: Terms, most: float) -> list[Item]:
    """Return the items of the epoch's largest forward pass, cut until one layer takes at most ``most`` operations."""

    def cost(items: Sequence[Item]) -> float:
        return float(layer_flops @ shapes.group_shapes(trainer, items)[0].terms)

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
