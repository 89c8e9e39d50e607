"""Types of given entities, written around their mentions."""

import json
from collections.abc import Mapping

from ctxlab.core.errors import UserError
from ctxlab.core.knowledge import Knowledge
from ctxlab.core.task import Task

TYPE = "{type}"
"""What is replaced by the type in the text around a mention."""


class Markers(Knowledge):
    """Writes the type of each entity around its mentions, so that the model reads it with the text.

    Source: typed entity markers with punctuation (Zhou & Chen 2021, arXiv:2102.01373): ``@ * person * Bill @``.
    Deviations: the paper has other signs for the object of a relation than for its subject, and here every entity is
    both, in pairs with all others; a type is written in lower case, with blanks for underscores. The state of a mention
    is that of the first sign before it, as in the paper. Words, mentions and places stay those of the document: what is
    written belongs to the word next to it.
    """

    def __init__(self, before: str, after: str, names: Mapping[str, str] | None = None) -> None:
        """Take the text around a mention.

        Args:
            before: Text before it; ``{type}`` stands for the type.
            after: Text after it; the same.
            names: Type → what is written for it; None for the types themselves.

        Raises:
            UserError: Neither text has the type.
        """
        if TYPE not in before + after:
            raise UserError(
                f"knowledge.before={before!r} and knowledge.after={after!r} do not say where the type is written: put "
                f"{TYPE} into one of them, or use task.markers=true, which marks mentions without their types."
            )
        self.around = Around(before, after, dict(names or {}))

    def teach(self, task: Task) -> None:
        """Write around the mentions in the documents of ``task``.

        Raises:
            UserError: The task has no given entities, or marks mentions already.
        """
        if not task.encloses_mentions:
            raise UserError(
                f"knowledge=markers writes around entities that are given, which documents of task={task.name} do not "
                "have: use task=relation, or knowledge=none."
            )
        if getattr(task, "markers", False):
            raise UserError(
                "knowledge=markers and task.markers=true both write around mentions: leave one of them out."
            )
        task.enclose = self.around


class Around:
    """The text around the mentions of each type; an object, because tasks are sent to processes that tokenise."""

    def __init__(self, before: str, after: str, names: Mapping[str, str]) -> None:
        """Take the texts with a place for the type, and what is written for some types."""
        self._before, self._after, self._names = before, after, names

    @property
    def key(self) -> str:
        """Return all options."""
        return json.dumps([self._before, self._after, sorted(self._names.items())])

    def __call__(self, kind: str) -> tuple[str, str]:
        """Return the text before and after a mention of an entity of type ``kind``."""
        written = self._names.get(kind, kind.replace("_", " ").lower())
        return self._before.replace(TYPE, written), self._after.replace(TYPE, written)
