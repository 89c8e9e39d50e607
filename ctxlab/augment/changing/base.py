"""What augmentations share: a dose, and documents that are changed unit by unit."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from ctxlab.augment.changing.passage import Edit, Passage, read, write
from ctxlab.core.augmentation import Augmentation, Draw
from ctxlab.core.task import Task
from ctxlab.core.types import Document


class Changing(Augmentation, ABC):
    """An augmentation that replaces or inserts units of a document's text."""

    def __init__(self, dose: float, share: float = 1.0) -> None:
        """Check the amounts.

        Args:
            dose: Fraction of the units of a changed document that are changed, above 0 and at most 1.
            share: Fraction of the documents that are changed, 0 to 1.

        Raises:
            ValueError: One of them is out of range.
        """
        if not 0 < dose <= 1:
            raise ValueError(
                f"dose={dose} is out of range: give the fraction of the {self.changes} to change, above 0, at most 1."
            )
        if not 0 <= share <= 1:
            raise ValueError(f"share={share} is out of range: give the fraction of the documents, from 0 to 1.")
        self.dose, self.share = dose, share

    def change(self, document: Document, task: Task, draw: Draw) -> Document:
        """See ``Augmentation``."""
        assert task.shape is not None
        passage = read(document, task)
        edits = self.edits(passage, document, task, draw)
        return write(document, task.shape, passage, edits) if edits else document

    @abstractmethod
    def edits(self, passage: Passage, document: Document, task: Task, draw: Draw) -> Sequence[Edit]:
        """Return what to change, in order and disjoint.

        Args:
            passage: The document's units.
            document: The document.
            task: Says where it has its text and labels.
            draw: Source of all random choices.
        """


class EachWord(Changing, ABC):
    """An augmentation that replaces single words by single words; a word keeps its tag."""

    spares: ClassVar[bool] = False
    """Whether words within labelled parts (names, answers) stay as they are; where they are gold they always do."""

    def edits(self, passage: Passage, document: Document, task: Task, draw: Draw) -> Sequence[Edit]:
        """Replace ``dose`` of the words that can be replaced; which ones at a lower dose are among them."""
        del document
        assert task.shape is not None
        spared = passage.labelled if self.spares or task.shape.fixed else frozenset()
        able = [i for i in range(len(passage.units)) if i not in spared and self.able(passage, i)]
        chosen = [place for place, number in zip(able, draw.random(len(able)), strict=True) if number < self.dose]
        found = [Edit(i, i + 1, (self.other(passage, i, draw),)) for i in chosen]
        return [edit for edit in found if edit.units[0] != passage.units[edit.start]]

    @abstractmethod
    def able(self, passage: Passage, index: int) -> bool:
        """Return whether there is another word for the unit at ``index``."""

    @abstractmethod
    def other(self, passage: Passage, index: int, draw: Draw) -> str:
        """Return another word for the unit at ``index``, one for which ``able`` holds."""
