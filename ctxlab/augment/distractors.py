"""Sentences of other documents."""

from collections.abc import Iterable, Sequence

from ctxlab.augment.changing.base import Changing
from ctxlab.augment.changing.passage import Edit, Passage, read, sentences
from ctxlab.core.augmentation import SENTENCES, Draw
from ctxlab.core.task import Task
from ctxlab.core.types import Document

TRIES = 20
"""Draws of a sentence before a place is left as it is, because all were of the same document or hold an answer."""


class Distractors(Changing):
    """Before a chosen sentence stands one of another document, which has no entity, mention or answer.

    After the distracting sentences of Jia and Liang 2017 (arXiv:1707.07328); here they are not written against the
    model, but taken from documents of the same kind. A sentence of a document of another class may speak for that
    class: keep the dose small where documents are classified.
    """

    needs = SENTENCES
    changes = "sentences"

    def __init__(self, dose: float, share: float = 1.0) -> None:
        """See ``Changing``; ``dose`` is the number of added sentences over those of the document."""
        super().__init__(dose, share)
        self._pool: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []

    def learn(self, documents: Iterable[Document], task: Task) -> None:
        """Collect the sentences without labelled parts, each once a record: (record, units, tags)."""
        assert task.shape is not None
        pool: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
        for document in documents:
            passage = read(document, task)
            text = document.fields[task.shape.text]
            for start, end in sentences(document, task, passage):
                if passage.labelled.isdisjoint(range(start, end)):
                    units = tuple(passage.units[start:end])
                    if passage.is_text:
                        units = (text[passage.offsets[start][0] : passage.offsets[end - 1][1]],)
                    pool.setdefault((_record(document), units), tuple(passage.tags[start:end]))
        self._pool = [(*key, tags) for key, tags in pool.items()]

    def edits(self, passage: Passage, document: Document, task: Task, draw: Draw) -> Sequence[Edit]:
        """Insert sentences before ``dose`` of the document's sentences."""
        assert task.shape is not None
        inside = {place for span in passage.spans for place in range(span.start + 1, span.end)}
        starts = [start for start, _ in sentences(document, task, passage) if start not in inside]
        chosen = [start for start, number in zip(starts, draw.random(len(starts)), strict=True) if number < self.dose]
        spared = self._answers(document, task) if task.shape.fixed else []
        found = [(start, self._drawn(_record(document), spared, draw)) for start in chosen]
        return [Edit(start, start, *new) for start, new in found if new is not None]

    def _drawn(self, record: str, spared: Sequence[str], draw: Draw) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
        """Return units and tags of a sentence of another record that has none of the texts ``spared``."""
        for _ in range(TRIES if self._pool else 0):
            other, units, tags = self._pool[int(draw.integers(len(self._pool)))]
            if other != record and not any(text in unit for text in spared for unit in units):
                return units, tags
        return None

    def _answers(self, document: Document, task: Task) -> list[str]:
        assert task.shape is not None
        text = document.fields[task.shape.text]
        return [text[span.start : span.end] for span in task.labelled_spans(document)]


def _record(document: Document) -> str:
    """Return the id of the record that a document is part of."""
    return str(document.fields.get("group", document.id))
