"""Protocol of prior knowledge: what a user knows of the task besides labelled documents."""

from abc import ABC, abstractmethod
from typing import Any

from ctxlab.core.contract import Component
from ctxlab.core.task import Task

FAMILY = "knowledge"
"""Name of its trained modules in a model and of its note in a saved config."""


class Knowledge(Component, ABC):
    """Knowledge that a run uses; each kind is one file under ``ctxlab/knowledge``."""

    wants_marks: bool = False
    """Whether the model's inputs must include ``marks`` (B, W) of the tokens."""

    @abstractmethod
    def teach(self, task: Task) -> None:
        """Make ``task`` use the knowledge; called once its labels are known, before documents are encoded.

        Raises:
            UserError: It does not fit the task or its labels.
        """

    def install(self, model: Any, *, keeps_marks: bool) -> None:
        """Add what the knowledge needs to ``model``; trainable modules by ``core.added_modules.attach``.

        Args:
            model: The model, with the strategy installed.
            keeps_marks: Whether the attention part takes the marks from the model's inputs.
        """
        del model, keeps_marks
