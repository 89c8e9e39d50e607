"""The training budget of each cell, and estimates of the time it takes."""

from collections.abc import Sequence
from dataclasses import dataclass

from ctxlab.config.schema import BudgetConfig
from ctxlab.core.errors import UserError
from ctxlab.workbench.comparing.candidate_checks import PASSES, CheckedCandidate, Work

START_SECONDS = 8.0
"""Start-up time of a new process, before its first step."""

KEYS = {"seconds": "max_seconds", "tokens": "max_tokens", "flops": "max_flops", "steps": "max_steps"}
"""Budget → the key of ``trainer`` that limits a cell by it."""


@dataclass(frozen=True, slots=True)
class Budget:
    """One training budget, the same for every candidate."""

    name: str
    """``seconds``, ``tokens``, ``flops`` or ``steps``."""
    amount: float
    num_trials: int
    """Trainings that share the budget."""

    @classmethod
    def of(cls, given: BudgetConfig, num_trials: int) -> "Budget":
        """Read the budget from the configuration; raises UserError unless exactly one is given."""
        found = {name: getattr(given, name) for name in KEYS if getattr(given, name) is not None}
        if not found:
            raise UserError(
                "A comparison needs a budget that is the same for all candidates: add budget.seconds=120, or "
                "budget.tokens, budget.flops or budget.steps."
            )
        if len(found) > 1:
            both = " and ".join(f"budget.{name}={amount}" for name, amount in found.items())
            raise UserError(f"{both} cannot both be equal for all candidates: give one of them.")
        ((name, amount),) = found.items()
        if name in ("tokens", "steps") and amount < num_trials:
            raise UserError(
                f"budget.{name}={amount} cannot be shared by trials={num_trials}: give at least {num_trials}."
            )
        return cls(name, amount, num_trials)

    @property
    def is_time(self) -> bool:
        """Whether the work done within the budget depends on other processes on the machine."""
        return self.name == "seconds"

    @property
    def share(self) -> float:
        """Budget of one training."""
        whole = self.name in ("tokens", "steps")
        return self.amount // self.num_trials if whole else self.amount / self.num_trials

    @property
    def word(self) -> str:
        """The override that limits a cell to its budget."""
        whole = self.name in ("tokens", "steps")
        return f"trainer.{KEYS[self.name]}={int(self.share) if whole else self.share}"

    @property
    def sentence(self) -> str:
        """Description of the budget."""
        unit = "FLOPs" if self.name == "flops" else self.name
        trials = f", shared by {self.num_trials} learning rates" if self.num_trials > 1 else ""
        return f"{self.amount:,g} {unit} of training for each candidate and seed{trials}"

    def steps(self, work: Work) -> float:
        """Estimate the steps of a cell; at least one."""
        seconds = PASSES * work.step_tokens * work.seconds_per_token
        cost = {"seconds": seconds, "tokens": work.step_tokens, "flops": work.step_flops, "steps": 1.0}[self.name]
        return max(self.share / max(cost, 1e-12), 1.0)

    def seconds(self, work: Work, evaluated_tokens: int) -> float:
        """Estimate the seconds of a cell: start-up, training and evaluation."""
        step = PASSES * work.step_tokens * work.seconds_per_token
        training = self.share if self.is_time else self.steps(work) * step
        return START_SECONDS + training + evaluated_tokens * work.seconds_per_token

    def check(self, found: Sequence[CheckedCandidate]) -> None:
        """Refuse a budget too small for a single step of any candidate.

        Raises:
            UserError: names a sufficient budget.
        """
        if self.name not in ("tokens", "flops"):
            return
        costs = {
            one.candidate.title: one.work.step_tokens if self.name == "tokens" else one.work.step_flops
            for one in found
            if one.work is not None
        }
        title, least = min(costs.items(), key=lambda pair: pair[1])
        if self.share < least:
            needed = least * self.num_trials
            raise UserError(
                f"budget.{self.name}={self.amount:g} is too small for one step of any candidate; a step of {title}, "
                f"the cheapest, takes {needed:.3g}: give budget.{self.name}={needed * 100:.1g} for a hundred steps."
            )
