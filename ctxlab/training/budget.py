"""Training budgets: the limit that is reached first ends the run, and the schedule follows it."""

from collections.abc import Iterator
from dataclasses import dataclass

from ctxlab.config.keys.run import TrainerConfig
from ctxlab.training.state import TrainState

DEFAULT_EPOCHS = 3
"""Epochs if no limit is given."""

ROUNDING = 1e-9
"""Fraction of a budget below which the rest counts as spent: sums of fractions are inexact, and must not add a step."""


@dataclass(frozen=True)
class Budget:
    """Limits in steps, epochs, seconds of training steps, tokens, and FLOPs; None is no limit.

    An epoch is a pass over the training documents, counted by the fraction that was read: a curriculum that leaves a
    pass halfway, to start one with longer windows, has used half an epoch.
    """

    max_steps: int | None = None
    max_epochs: float | None = None
    max_seconds: float | None = None
    max_tokens: int | None = None
    max_flops: float | None = None

    @classmethod
    def of(cls, settings: TrainerConfig) -> "Budget":
        """Return the limits that are set, or the default number of epochs."""
        limits = cls(
            max_steps=settings.max_steps,
            max_epochs=settings.max_epochs,
            max_seconds=settings.max_seconds,
            max_tokens=settings.max_tokens,
            max_flops=settings.max_flops,
        )
        return cls(max_epochs=DEFAULT_EPOCHS) if limits == cls() else limits

    def progress(self, state: TrainState) -> float:
        """Return the fraction of the budget spent, 0 to 1, by the nearest limit; it never decreases."""
        nearest = max((share for _, share in self._spent(state)), default=0.0)
        return 1.0 if nearest >= 1 - ROUNDING else nearest

    def nearest(self, state: TrainState) -> str:
        """Return the nearest limit as written on the command line; empty if there is none."""
        name, _ = max(self._spent(state), key=lambda limit: limit[1], default=("", 0.0))
        return f"trainer.{name}={getattr(self, name)}" if name else ""

    def _spent(self, state: TrainState) -> Iterator[tuple[str, float]]:
        """Yield the name of each limit that is set, and the fraction of it that is spent."""
        done = {
            "max_steps": state.step,
            "max_epochs": state.epochs,
            "max_seconds": state.seconds,
            "max_tokens": state.tokens,
            "max_flops": state.flops,
        }
        for name, amount in done.items():
            limit = getattr(self, name)
            if limit is not None:
                yield name, amount / limit
