"""What a sweep optimises: the task's primary metric, other metrics of the validation split, and costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctxlab.config.nearest import suggestion
from ctxlab.core.errors import UserError
from ctxlab.core.result import Cost, Result
from ctxlab.core.task import Task

PRIMARY = "primary"
"""Name of the task's primary metric in ``sweep.objectives``."""

DIRECTIONS = ("minimize", "maximize")

COSTS = (
    "train_seconds", "train_tokens", "train_steps", "evaluation_seconds", "peak_memory_bytes", "flops", "parameters",
    "trainable_parameters", "tokens_per_second",
)  # fmt: skip
"""Costs of a run that can be an objective."""

HIGHER_IS_BETTER = ("tokens_per_second",)

SPLIT = "validation"
"""The split that trials are chosen on."""


@dataclass(frozen=True, slots=True)
class Objective:
    """A figure of a trial's result."""

    name: str
    """A metric or a cost."""
    lower_is_better: bool

    @property
    def direction(self) -> str:
        """``minimize`` or ``maximize``, as Optuna says it."""
        return DIRECTIONS[0] if self.lower_is_better else DIRECTIONS[1]

    def of(self, result: Result) -> float:
        """Return the figure of a trial.

        Raises:
            UserError: It has none, so that no trial of the sweep will.
        """
        if self.name in COSTS:
            value = getattr(result.cost, self.name)
        else:
            figures = result.metrics.get(SPLIT, {})
            if self.name not in figures and self.name != result.primary_metric:
                known = [*figures, *COSTS]
                raise UserError(
                    f"sweep.objectives has {self.name}, which a trial does not report"
                    f"{suggestion(self.name, known, 'figures')}"
                )
            value = figures.get(self.name)
        return float("nan") if value is None else float(value)


def read_objectives(given: Sequence[Any], task: Task) -> list[Objective]:
    """Read ``sweep.objectives``: names, or mappings of a name to its direction.

    Raises:
        UserError: There is none, one is there twice, or its direction is not known.
    """
    found = [_objective(one, task) for one in given]
    if not found:
        raise UserError("sweep.objectives=[] leaves nothing to optimise: give [primary], or leave it out.")
    names = [one.name for one in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"sweep.objectives has {twice} twice: give each once.")
    return found


def _objective(given: Any, task: Task) -> Objective:
    if isinstance(given, Mapping) and len(given) == 1:
        ((name, direction),) = given.items()
        if direction not in DIRECTIONS:
            raise UserError(f"sweep.objectives: {name} is {direction}; give minimize or maximize.")
        return Objective(task.primary_metric if name == PRIMARY else str(name), direction == DIRECTIONS[0])
    name = str(given)
    if name in (PRIMARY, task.primary_metric):
        return Objective(task.primary_metric, task.lower_is_better)
    if name in COSTS:
        return Objective(name, name not in HIGHER_IS_BETTER)
    raise UserError(
        f"sweep.objectives: whether more of {name} is better is not known: write {{{name}: maximize}} or "
        f"{{{name}: minimize}}, or name {PRIMARY} or a cost ({', '.join(COSTS)})."
    )


assert set(COSTS) <= set(Cost.__dataclass_fields__)
