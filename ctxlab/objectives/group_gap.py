"""Groups of documents with equal losses: a penalty on how far the mean losses of groups are apart."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from ctxlab.core.errors import UserError
from ctxlab.core.objective import Objective, Term
from ctxlab.core.passes import Item, Passed, PassRunner
from ctxlab.core.task import LABEL_SETS, LABELS, POSITIONS, TOKENS, Loss, Task
from ctxlab.objectives.inner.limits import at_least


class GroupGap(Objective):
    """The task's loss plus λ times the variance of the mean losses of the groups, over the documents of a step.

    Source: V-REx of Krueger et al. 2021 (arXiv:2003.00688), which penalises the variance of the risks of several
    training domains. Deviations: the groups are the values of a field of the records; the mean losses are those of one
    step, so that a step holds documents of several groups; and the first term is the mean over all labels, not over
    groups, so that λ = 0 is the plain loss to the bit. A step with fewer than two groups has no penalty.

    The variance is no sum over passes, so that a step must be a single pass (``whole_steps``). A step costs one
    forward and one backward pass.
    """

    serves = frozenset({LABELS, LABEL_SETS, POSITIONS, TOKENS})

    def __init__(self, strength: float, field: str | None = None) -> None:
        """Set the penalty.

        Args:
            strength: λ, at least 0.
            field: Field of the training records with the group of each, the same as ``audit.groups.field``.

        Raises:
            UserError: λ is negative, or above 0 without a field.
        """
        at_least(0, "1", strength=strength)
        if strength and not field:
            raise UserError(
                "objective=group_gap needs groups: name the field of the records that has them, as "
                "objective.field=<field>."
            )
        self.strength, self.whole_steps = strength, bool(strength)
        self.group_field = field if strength else None
        self._groups: Sequence[str | None] = ()

    def take_groups(self, groups: Sequence[str | None]) -> None:
        """Receive the group of each document."""
        self._groups = groups

    def step(self, passes: PassRunner, items: Sequence[Item], task: Task) -> Iterator[Term]:
        """Yield the loss of the step with its penalty, at the last of its passes."""
        if not self.strength:
            for passed in passes.run(items):
                yield Term(task.loss(passed.outputs, passed.labels), passed)
            return
        every = list(passes.run(items))  # several where a memory links windows
        for passed in every[:-1]:
            nothing = torch.zeros((), device=passed.outputs.device)
            yield Term(Loss(nothing, nothing), replace(passed, cut=False))
        losses = [task.loss(passed.outputs, passed.labels) for passed in every]
        total, weight = _sums(losses)
        means = self.means(every, items, task)
        if len(means) > 1:
            total = total + self.strength * torch.stack(list(means.values())).var(correction=0) * weight
        yield Term(Loss(total, weight), every[-1])

    def means(self, every: Sequence[Passed], items: Sequence[Item], task: Task) -> dict[str, torch.Tensor]:
        """Return the mean loss of each group with labels in a step.

        Args:
            every: The passes of the step.
            items: Its items.
            task: Computes the loss of outputs against labels.
        """
        sums: dict[str, list[Loss]] = {}
        for passed in every:
            rows: dict[str, list[int]] = {}
            for row, (item, _) in enumerate(passed.rows):
                group = self._groups[items[item].document]
                if group is not None:
                    rows.setdefault(group, []).append(row)
            for group, own in rows.items():
                sums.setdefault(group, []).append(task.loss(passed.outputs[own], passed.labels[own]))
        totals = {group: _sums(own) for group, own in sums.items()}
        return {group: total / weight for group, (total, weight) in sorted(totals.items()) if weight > 0}


def _sums(losses: Sequence[Loss]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return total and weight of several losses together."""
    return torch.stack([one.total for one in losses]).sum(), torch.stack([one.weight for one in losses]).sum()
