"""Distillation: the model of a finished run teaches, with its own strategy and context."""

from collections.abc import Callable, Iterator, Sequence

import torch

from ctxlab.core.errors import UserError
from ctxlab.core.objective import Objective, Teacher, Term, Told
from ctxlab.core.passes import Item, Passed, PassRunner
from ctxlab.core.task import LABEL_SETS, LABELS, POSITIONS, TOKENS, Loss, Task
from ctxlab.core.types import NO_LABEL, Encoded
from ctxlab.objectives.inner.divergence import from_teacher
from ctxlab.objectives.inner.limits import above_zero
from ctxlab.objectives.inner.moving import counted


class Distill(Objective):
    """The task's loss, and how far each prediction is from that of a teacher, which may have read more.

    Source: Hinton et al. 2015, arXiv:1503.02531: T² · KL(teacher ‖ student) of the softmax over T, mean over labelled
    predictions. Deviation: a teacher that labels tokens or documents, or predicts the next token, reads the documents
    in windows of its own, so that a long reader teaches a short one. Of a document's label a window learns the mean of
    what the teacher says at the window's tokens, and what the teacher never read teaches nothing. Where what is asked
    depends on the window (positions in it, masked tokens, generated text), the teacher reads the student's windows.

    A step costs one forward and one backward pass, and the teacher's forward pass over its windows with these tokens.
    """

    serves = frozenset({LABELS, LABEL_SETS, POSITIONS, TOKENS})

    def __init__(self, run: str | None, temperature: float, share: float) -> None:
        """Name the teacher, and what it counts.

        Args:
            run: Directory of the teacher's training run.
            temperature: Divides the logits of both, above 0; higher ones show more of what is unlikely.
            share: Share of the teacher in the loss, above 0 to 1; the rest is the task's own loss.

        Raises:
            UserError: A value is missing or out of range.
        """
        above_zero("is no temperature", "2", temperature=temperature)
        if not 0 < share <= 1:
            raise UserError(f"objective.share={share} is out of range: give a number above 0, to 1, such as 0.5.")
        self.teacher_run, self.temperature, self.share = run, temperature, share
        self._teacher: Teacher | None = None
        self._documents: Callable[[], Sequence[Encoded]] = tuple

    def fit(self, task: Task) -> None:
        """Check that a teacher is named."""
        if not self.teacher_run:
            raise UserError("objective=distill needs a teacher: give objective.run=<directory of a training run>.")
        super().fit(task)

    def take_teacher(self, teacher: Teacher) -> None:
        """Keep the teacher."""
        self._teacher = teacher

    def learn(self, task: Task, documents: Callable[[], Sequence[Encoded]]) -> None:
        """Keep the documents, which the teacher reads as a whole."""
        self._documents = documents

    def step(self, passes: PassRunner, items: Sequence[Item], task: Task) -> Iterator[Term]:
        """Yield the teacher's passes without a loss, then each pass with its loss."""
        assert self._teacher is not None, "take_teacher comes first"
        told = self._teacher.tell(passes, items, self._documents())
        yield from map(counted, told.passed)
        for passed in passes.run(items):
            loss = task.loss(passed.outputs, passed.labels)
            apart = self._apart(passed, told, task)
            yield Term(Loss((1 - self.share) * loss.total + self.share * apart, loss.weight), passed)

    def _apart(self, passed: Passed, told: Told, task: Task) -> torch.Tensor:
        """Return the divergence from the teacher, summed over the predictions of a pass that it can teach."""
        outputs, labels = torch.zeros_like(passed.outputs), passed.labels.clone()
        for row, place in enumerate(passed.rows):
            _fill(outputs[row], told.outputs.get(place))
            seen = told.seen[place].to(labels.device)
            if not bool(seen.all()):
                labels[row, : len(seen)] = labels[row, : len(seen)].masked_fill(~seen, NO_LABEL)
        one, own = task.predicted(outputs, labels), task.predicted(passed.outputs, labels)
        return (from_teacher(one.logits, own.logits, self.temperature) * own.weights).sum()


def _fill(outputs: torch.Tensor, taught: torch.Tensor | None) -> None:
    """Write what a teacher says into outputs (W, C) or (C,); passes may be padded to other widths."""
    if taught is None:
        return
    if taught.dim() == 1:
        outputs.copy_(taught)
    else:
        width = min(len(taught), len(outputs))
        outputs[:width] = taught[:width]
