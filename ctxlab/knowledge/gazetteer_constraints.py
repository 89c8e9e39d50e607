"""A list of names and constraints of decoding together."""

from collections.abc import Sequence
from typing import Any

from ctxlab.core.knowledge import Knowledge
from ctxlab.core.task import Task
from ctxlab.knowledge.constraints import Constraints
from ctxlab.knowledge.gazetteer import Gazetteer


class GazetteerConstraints(Knowledge):
    """Marks the words that the user's list has, and decodes without forbidden sequences (see both parts).

    The model is that of ``knowledge=gazetteer``, and either reads a checkpoint of the other.
    """

    wants_marks = True

    def __init__(
        self, file: str | None = None, relation: str | None = None, forbid: Sequence[Sequence[str]] = ()
    ) -> None:
        """Take the options of both.

        Args:
            file: List of names, see ``Gazetteer``.
            relation: Relation of the triples that are read; None for all.
            forbid: Pairs of labels of which the second never follows the first directly.

        Raises:
            UserError: An option is not valid.
        """
        self.gazetteer, self.constraints = Gazetteer(file, relation), Constraints(forbid)

    def teach(self, task: Task) -> None:
        """Mark the words of ``task``, and decode it with the constraints.

        Raises:
            UserError: One of both does not fit.
        """
        self.gazetteer.teach(task)
        self.constraints.teach(task)

    def install(self, model: Any, *, keeps_marks: bool) -> None:
        """Attach the vectors of the list to ``model``."""
        self.gazetteer.install(model, keeps_marks=keeps_marks)
