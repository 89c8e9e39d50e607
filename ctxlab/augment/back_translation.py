"""Translations into another language and back."""

from collections.abc import Mapping
from dataclasses import replace

from ctxlab.core.augmentation import DOCUMENTS, Augmentation, Draw
from ctxlab.core.errors import UserError
from ctxlab.core.task import Task
from ctxlab.core.types import Document


class BackTranslation(Augmentation):
    """A document becomes what two translating runs make of its text: into another language, and back.

    Source: Sennrich et al. 2016 (arXiv:1511.06709) and, for classification, Xie et al. 2020 (arXiv:1904.12848).
    Deviations: a text is translated once, greedily unless the runs decode otherwise, so that an epoch has one of two
    forms of a document and not ever new ones; whole documents are translated, not sentences.
    """

    needs = DOCUMENTS
    changes = "texts"

    def __init__(self, there: str | None, back: str | None, share: float = 0.5) -> None:
        """Take the runs, which are read before training (``take_translations``).

        Args:
            there: Directory of a training run with ``task=translation`` from the language of the documents.
            back: Directory of one from its target into the language of the documents.
            share: Fraction of the documents that are changed, 0 to 1.

        Raises:
            UserError: A run is not given, or the share is out of range.
        """
        if there is None or back is None:
            raise UserError(
                "augment=back_translation needs two runs with task=translation: augment.there=<run directory> into "
                "another language, and augment.back=<run directory> back."
            )
        if not 0 <= share <= 1:
            raise UserError(f"augment.share={share} is out of range: give the fraction of the documents, from 0 to 1.")
        self.share, self.translators = share, (there, back)
        self._translations: Mapping[str, str] = {}

    def take_translations(self, translations: Mapping[str, str]) -> None:
        """Change texts (keys) to their translations from now on."""
        self._translations = translations

    def change(self, document: Document, task: Task, draw: Draw) -> Document:
        """See ``Augmentation``; places in the text, such as known evidence, are left out of what is changed."""
        del draw
        shape = task.shape
        assert shape is not None
        text = document.fields[shape.text]
        new = self._translations.get(text, "").strip()
        if not new or new == text:
            return document
        gone = {shape.sentences, shape.texts, *shape.starts, *shape.spans, *shape.derived}
        fields = {name: value for name, value in document.fields.items() if name not in gone}
        return replace(document, fields={**fields, shape.text: new})
