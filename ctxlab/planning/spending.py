"""What a training budget buys, given the cost of a step."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ctxlab.planning.measured import Measured


@dataclass(frozen=True, slots=True)
class Spending:
    """A training run under a budget."""

    steps: int
    seconds: float
    tokens: float
    flops: float
    epochs: float


def spending(measured: Measured, seconds_per_step: float, limits: Mapping[str, float]) -> Spending:
    """Return the training that ends with the first limit, as the loop does: the last step may go over it.

    Args:
        measured: The candidate.
        seconds_per_step: Seconds of a step on the device.
        limits: ``steps``, ``seconds``, ``tokens``, ``flops`` or ``epochs`` → amount; at least one.
    """
    cost = {
        "steps": 1.0,
        "seconds": seconds_per_step,
        "tokens": measured.load.tokens_per_step,
        "flops": measured.flops_per_step,
        "epochs": 1.0 / measured.load.steps_per_epoch,
    }
    steps = min(max(math.ceil(amount / cost[name] - 1e-9), 1) for name, amount in limits.items())
    return Spending(
        steps=steps,
        seconds=steps * seconds_per_step,
        tokens=steps * measured.load.tokens_per_step,
        flops=steps * measured.flops_per_step,
        epochs=steps / measured.load.steps_per_epoch,
    )


def pays(measured: Measured, seconds_per_step: float, limits: Mapping[str, float]) -> bool:
    """Return whether each limit is at least the cost of one step; for seconds, half of the estimated ones.

    Args:
        measured: The candidate.
        seconds_per_step: Seconds of a step on the device.
        limits: As for ``spending``.
    """
    return (
        limits.get("seconds", math.inf) >= 0.5 * seconds_per_step
        and limits.get("tokens", math.inf) >= 0.999 * measured.load.tokens_per_step
        and limits.get("flops", math.inf) >= 0.999 * measured.flops_per_step
    )
