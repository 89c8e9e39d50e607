"""Budgets that compose: whichever ends first ends the run, and the schedule follows that one."""

from collections.abc import Iterator
from dataclasses import dataclass

from ctxlab.config.schema import TrainerConfig
from ctxlab.training.state import TrainState

DEFAULT_EPOCHS = 3
"""Where no limit is given at all."""

ROUNDING = 1e-9
"""Share of a budget that counts as none: sums of shares of passes are not exact, and must not cost a further step."""


@dataclass(frozen=True)
class Budget:
    """Limits in steps, epochs, seconds of training steps, tokens, and operations; None is no limit.

    An epoch is a pass over the training documents, counted as the share of them that was read: a curriculum that leaves
    a pass half way, for one in longer windows, has spent half an epoch on it.
    """

    max_steps: int | None = None
    max_epochs: float | None = None
    max_seconds: float | None = None
    max_tokens: int | None = None
    max_flops: float | None = None

    @classmethod
    def of(cls, settings: TrainerConfig) -> "Budget":
        """The limits that were given, or a few epochs."""
        limits = cls(
            max_steps=settings.max_steps,
            max_epochs=settings.max_epochs,
            max_seconds=settings.max_seconds,
            max_tokens=settings.max_tokens,
            max_flops=settings.max_flops,
        )
        return cls(max_epochs=DEFAULT_EPOCHS) if limits == cls() else limits

    def progress(self, state: TrainState) -> float:
        """Share of the budget that is spent, 0 to 1, by the limit that is nearest; it never falls."""
        nearest = max((share for _, share in self._spent(state)), default=0.0)
        return 1.0 if nearest >= 1 - ROUNDING else nearest

    def nearest(self, state: TrainState) -> str:
        """The limit that is nearest, as it is written on the command line; empty where there is none."""
        name, _ = max(self._spent(state), key=lambda limit: limit[1], default=("", 0.0))
        return f"trainer.{name}={getattr(self, name)}" if name else ""

    def _spent(self, state: TrainState) -> Iterator[tuple[str, float]]:
        """Name of each limit that was given, and the share of it that is spent."""
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
