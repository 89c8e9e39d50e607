"""Protocol of training objectives."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from ctxlab.core.contract import Component, option
from ctxlab.core.errors import UserError
from ctxlab.core.passes import Item, Passed, PassRunner
from ctxlab.core.task import LABEL_SETS, LABELS, POSITIONS, TOKENS, Loss, Task
from ctxlab.core.types import Encoded

WORDS = {
    LABELS: "one label of several",
    LABEL_SETS: "sets of labels",
    POSITIONS: "places in a text",
    TOKENS: "tokens",
}
"""Values of ``Task.predicts`` in the words of a message."""


@dataclass(frozen=True, eq=False)
class Term:
    """One term of a step's loss, and the forward pass that it was computed from."""

    loss: Loss
    passed: Passed
    """Its tokens and FLOPs are counted; if its ``cut`` is set, the gradient is computed before the next term.

    A loss over several passes sets ``cut`` on the last of them only (``dataclasses.replace``), and yields the others
    before it with zero loss and zero weight, so that they are counted.
    """


@dataclass(frozen=True, eq=False)
class Told:
    """What a teacher says about some items."""

    passed: Sequence[Passed]
    """Its forward passes, to be counted."""
    outputs: Mapping[tuple[int, int], torch.Tensor]
    """(item, window in it) → (W, C) its outputs at the tokens of that window, or (C,) for the window; absent where it
    has read none of them."""
    seen: Mapping[tuple[int, int], torch.Tensor]
    """(item, window in it) → (W,) bool: which tokens it has read; (1,) for all."""


class Teacher(Protocol):
    """The model of a finished run, with its own strategy and context; its weights never change."""

    def tell(self, passes: PassRunner, items: Sequence[Item], documents: Sequence[Encoded]) -> Told:
        """Return its outputs for the tokens of ``items``, in the order of the labels of the model that is trained.

        Args:
            passes: Runs items through the model that is trained.
            items: Windows of that model.
            documents: The documents that items name by number.
        """
        ...


class Objective(Component, ABC):
    """The loss that a training step minimises; each is one file under ``ctxlab/objectives``."""

    fixed_passes = False
    """Whether any items take the same number of forward and backward passes through the model, whatever they hold, so
    that processes among which its weights are dealt can run equally many."""
    serves: frozenset[str] | None = None
    """Values of ``Task.predicts`` that it works with; None for any task, as it only needs the loss."""
    teacher_run: str | None = None
    """Directory of the run whose model is its teacher, given by ``take_teacher``; None without one."""

    whole_steps = False
    """Whether all items of a step must be given to ``step`` together, because the loss is no sum over passes."""
    group_field: str | None = None
    """Field of the training records by which documents are grouped, given by ``take_groups``; None without groups."""

    def fit(self, task: Task) -> None:
        """Check the task, whose labels are known; called before the model is built.

        Raises:
            UserError: The objective cannot work with it.
        """
        if self.serves is not None and task.predicts not in self.serves:
            *others, last = [word for key, word in WORDS.items() if key in self.serves]
            listed = f"{', '.join(others)} or {last}" if others else last
            raise UserError(
                f"objective={option(self)} works on predictions of {listed}, which task={task.name} with these options "
                "does not make: use objective=standard, objective=fgm, or another task such as task=ner."
            )

    def learn(self, task: Task, documents: Callable[[], Sequence[Encoded]]) -> None:
        """Read what the loss needs from the training documents; called before ``start``.

        Args:
            task: The task, whose labels are known.
            documents: Returns the documents that items name by number: of a large file the part that was read last,
                which is the first one now.
        """
        del task, documents

    def take_teacher(self, teacher: Teacher) -> None:
        """Receive the teacher; called where ``teacher_run`` is set, before ``start``."""
        del teacher

    def take_groups(self, groups: Sequence[str | None]) -> None:
        """Receive the group of each document that items name by number; called where ``group_field`` is set.

        None stands for a document without a group.
        """
        del groups

    def start(self, model: Any) -> None:
        """Receive the model to be trained; called once before the first step, of a resumed run too."""
        del model

    @abstractmethod
    def step(self, passes: PassRunner, items: Sequence[Item], task: Task) -> Iterator[Term]:
        """Yield the terms of the loss of ``items``, which fit into memory together.

        The loop adds up the terms, computes their gradient after each pass that is cut, and divides by the sum of
        their weights over the whole step. After a yield of a cut term its gradient is available: an adversarial
        objective reads it before it yields the next term. A distilling objective runs the same items through its
        teacher by ``passes.through``.

        Args:
            passes: Runs items through the model that is trained.
            items: Windows of this part of the step.
            task: Computes the loss of outputs against labels.
        """
