"""The training budget of each cell, and estimates of the time it takes."""

from collections.abc import Sequence
from dataclasses import dataclass

from ctxlab.config.keys.comparing import BudgetConfig
from ctxlab.core.errors import UserError
from ctxlab.workbench.comparing.candidate_checks import CheckedCandidate, Work

START_SECONDS = 8.0
"""Start-up time of a new process, before its first step."""

SURE = 0.1
"""Share of the estimated seconds of a step below which a budget is certainly too small for one."""

TINY = 1e-12

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

    def step_cost(self, work: Work) -> float:
        """Return the estimated cost of a step, in units of the budget."""
        return {"seconds": work.step_seconds, "tokens": work.step_tokens, "flops": work.step_flops, "steps": 1.0}[
            self.name
        ]

    def seconds(self, work: Work, scored_tokens: int) -> float:
        """Return the estimated seconds of a cell: its start, at least one training step, and scoring ``scored_tokens``
        tokens."""
        num_steps = max(self.share / max(self.step_cost(work), TINY), 1.0)
        training = self.share if self.is_time else num_steps * work.step_seconds
        return START_SECONDS + training + scored_tokens * work.seconds_per_token

    def check(self, found: Sequence[CheckedCandidate]) -> None:
        """Refuse a budget too small for a single step of any candidate.

        Raises:
            UserError: Names one that would do.
        """
        costs = {one.candidate.title: self.step_cost(one.work) for one in found if one.work is not None}
        title, least = min(costs.items(), key=lambda pair: pair[1])
        if self.share < least * (SURE if self.is_time else 1.0):
            needed = least * self.num_trials
            enough = float(f"{100 * needed:.1g}")
            raise UserError(
                f"budget.{self.name}={self.amount:g} is too small for one step of any candidate; a step of {title}, "
                f"the cheapest, takes about {needed:.2g}: give budget.{self.name}={enough:g} for a hundred steps."
            )
