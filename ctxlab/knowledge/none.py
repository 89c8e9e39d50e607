"""No knowledge besides labelled documents."""

from ctxlab.core.knowledge import Knowledge
from ctxlab.core.task import Task


class NoKnowledge(Knowledge):
    """Leaves task and model as they are (the default)."""

    def teach(self, task: Task) -> None:
        """Do nothing."""
        del task
