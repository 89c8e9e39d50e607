"""Budgets that compose: whichever ends first ends the run, and the schedule follows that one."""

from dataclasses import dataclass

from ctxlab.config.schema import TrainerConfig
from ctxlab.training.state import TrainState

DEFAULT_EPOCHS = 3
"""Where no limit is given at all."""


@dataclass(frozen=True)
class Budget:
    """Limits in steps, epochs, seconds of training steps, and tokens; None is no limit."""

    max_steps: int | None = None
    max_epochs: float | None = None
    max_seconds: float | None = None
    max_tokens: int | None = None

    @classmethod
    def of(cls, settings: TrainerConfig) -> "Budget":
        """The limits that were given, or a few epochs."""
        limits = cls(settings.max_steps, settings.max_epochs, settings.max_seconds, settings.max_tokens)
        return cls(max_epochs=DEFAULT_EPOCHS) if limits == cls() else limits

    def progress(self, state: TrainState, steps_in_epoch: int) -> float:
        """Share of the budget that is spent, 0 to 1, by the limit that is nearest."""
        epochs = state.epoch + state.batch / max(steps_in_epoch, 1)
        spent = [
            done / limit
            for done, limit in (
                (state.step, self.max_steps),
                (epochs, self.max_epochs),
                (state.seconds, self.max_seconds),
                (state.tokens, self.max_tokens),
            )
            if limit is not None
        ]
        return min(max(spent, default=0.0), 1.0)
