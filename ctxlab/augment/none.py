"""Documents as they are."""

from ctxlab.core.augmentation import Augmentation, Draw
from ctxlab.core.task import Task
from ctxlab.core.types import Document


class Nothing(Augmentation):
    """Changes no document."""

    share = 0.0

    def change(self, document: Document, task: Task, draw: Draw) -> Document:
        """Return the document itself."""
        del task, draw
        return document
