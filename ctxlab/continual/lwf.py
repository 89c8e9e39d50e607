"""Learning without forgetting: on new documents the model should still say what it said before."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.nn import functional

from ctxlab.core.continual import Continual, Past, Teacher
from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.objective import Objective, Term
from ctxlab.core.passes import Item, Passed, PassRunner
from ctxlab.core.task import Loss, Task
from ctxlab.core.types import NO_LABEL

HEADS = ("token_classification", "sequence_classification", "masked_lm", "causal_lm")
"""Heads whose outputs are logits of one distribution for each label."""

OUTSIDE = "O"
"""Label of words that belong to no entity: in documents of a later stage also of entities of types before it."""


class LWF(Continual):
    """The model of the stage before is a teacher: of its probabilities on the new documents the loss wants more of.

    Source: Li and Hoiem 2016, arXiv:1606.09282, distillation (Hinton et al. 2015, arXiv:1503.02531) at a temperature.
    No old document is needed. For entities (Monaikul et al. 2021, "Continual learning for named entity recognition",
    AAAI 35): documents of a later stage say ``O`` of types before it. Deviation: only where the teacher sees an entity
    in such a word its label is left out of the loss; there the teacher alone decides.

    A step costs another forward pass.
    """

    def __init__(self, strength: float, temperature: float) -> None:
        """Store the options.

        Args:
            strength: Weight of the distillation, above 0; the loss of the labels has 1.
            temperature: By which the logits of both are divided, above 0.

        Raises:
            UserError: One of them is not above 0.
        """
        for name, value in (("strength", strength), ("temperature", temperature)):
            if value <= 0:
                raise UserError(f"continual.{name}={value} is out of range: give a number above 0, such as 1.")
        self.strength, self.temperature = strength, temperature

    def objective(self, given: Objective, past: Past) -> Objective:
        """Return the loss of labels and teacher; in the first stage the objective of the configuration.

        Raises:
            UserError: It is not the task's own loss.
        """
        if option(given) != "standard":
            raise UserError("continual=lwf has a loss of its own: leave objective= out.")
        if past.teacher is None:
            return given
        return Taught(past.teacher, self.strength, self.temperature)


class Taught(Objective):
    """The task's loss, and how much the outputs differ from a teacher's."""

    def __init__(self, teacher: Callable[[], Teacher], strength: float, temperature: float) -> None:
        self._open, self._teacher = teacher, None
        self.strength, self.temperature = strength, temperature

    _teacher: Teacher | None

    def start(self, model: Any) -> None:
        """Open the teacher."""
        del model
        self._teacher = self._open()

    def step(self, passes: PassRunner, items: Sequence[Item], task: Task) -> Iterator[Term]:
        """Yield a term for every pass.

        Raises:
            UserError: The outputs for this task are no distributions.
        """
        if task.head not in HEADS or getattr(task, "several", False):
            raise UserError(
                f"continual=lwf compares label distributions, which task={task.name} does not predict: use "
                "continual=replay or continual=ewc."
            )
        assert self._teacher is not None, "start comes first"
        taught = passes.through(self._teacher.model, self._teacher.strategy).run(items)
        for passed in passes.run(items):
            with torch.no_grad():
                said = next(taught).outputs
            full = task.loss(passed.outputs, passed.labels)
            own = task.loss(passed.outputs, self._known(passed, said, task))
            apart = self.strength * distilled(passed, said, self.temperature)
            yield Term(Loss(own.total + apart * full.weight, full.weight), replace(passed))

    def _known(self, passed: Passed, said: torch.Tensor, task: Task) -> torch.Tensor:
        """Return the labels (B, W) without those outside of which the teacher sees an entity."""
        if task.head != "token_classification" or OUTSIDE not in task.labels:
            return passed.labels
        outside = task.labels.index(OUTSIDE)
        doubted = (passed.labels == outside) & (said.argmax(-1) != outside)
        return passed.labels.masked_fill(doubted, NO_LABEL)


def distilled(passed: Passed, said: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return T² · KL(teacher ‖ student) in nats, mean over labels; the factor keeps gradients as large as at T = 1.

    Args:
        passed: Outputs (B, W, C), or (B, C) for a label of the whole window, and labels (B, W).
        said: The teacher's outputs, of the same shape.
        temperature: T.
    """
    asked = passed.labels != NO_LABEL  # (B, W)
    if passed.outputs.ndim == 2:
        asked = asked.any(-1)  # (B,)
    student, teacher = (logits[asked].float() / temperature for logits in (passed.outputs, said))
    if not len(student):
        return passed.outputs.sum() * 0
    apart = functional.kl_div(student.log_softmax(-1), teacher.log_softmax(-1), log_target=True, reduction="batchmean")
    return apart * temperature**2
