"""The loss that the task defines."""

from collections.abc import Iterator, Sequence

from ctxlab.core.objective import Objective, Term
from ctxlab.core.passes import Item, PassRunner
from ctxlab.core.task import Task


class Standard(Objective):
    """The default objective: one forward pass over every window, and the loss that the task defines."""

    fixed_passes = True

    def step(self, passes: PassRunner, items: Sequence[Item], task: Task) -> Iterator[Term]:
        """Yield the task's loss of every pass."""
        for passed in passes.run(items):
            yield Term(task.loss(passed.outputs, passed.labels), passed)
