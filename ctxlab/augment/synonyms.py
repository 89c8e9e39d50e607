"""Synonyms."""

from ctxlab.augment.changing.base import EachWord
from ctxlab.augment.changing.passage import Passage
from ctxlab.augment.changing.thesaurus import english, mythes
from ctxlab.core.augmentation import Draw
from ctxlab.core.task import Task
from ctxlab.core.types import Document


class Synonyms(EachWord):
    """A chosen word becomes a synonym: of one of its senses, each equally likely, one of the synonyms.

    Source: synonym replacement, Wei and Zou 2019 (arXiv:1901.11196) and Dai and Adel 2020 (arXiv:2010.11683).
    Deviations: words within entities and answers stay; only words in the form of the thesaurus' entries are replaced,
    and only by single words; capitals are kept. No tagger chooses the part of speech, so that words that occur as
    several are left alone.
    """

    spares = True

    def __init__(self, dose: float, share: float = 1.0, thesaurus: str | None = None) -> None:
        """Read the thesaurus.

        Args:
            dose: Fraction of the words with a synonym, above 0 and at most 1.
            share: Fraction of the documents that are changed, 0 to 1.
            thesaurus: File in MyThes format; None for a small table of English words.

        Raises:
            UserError: The file cannot be read.
        """
        super().__init__(dose, share)
        self._is_english = thesaurus is None
        self._senses = english() if thesaurus is None else mythes(thesaurus)

    def change(self, document: Document, task: Task, draw: Draw) -> Document:
        """See ``Augmentation``; the English table leaves documents alone that are of another language by their data."""
        if self._is_english and document.fields.get("language", "en") not in ("", "en"):
            return document
        return super().change(document, task, draw)

    def able(self, passage: Passage, index: int) -> bool:
        """Return whether the unit has a synonym."""
        return passage.units[index].lower() in self._senses

    def other(self, passage: Passage, index: int, draw: Draw) -> str:
        """Return a synonym, with the capitals of the unit."""
        word = passage.units[index]
        senses = self._senses[word.lower()]
        synonyms = senses[int(draw.integers(len(senses)))]
        synonym = synonyms[int(draw.integers(len(synonyms)))]
        if len(word) > 1 and word.isupper():
            return synonym.upper()
        return synonym[:1].upper() + synonym[1:] if word[:1].isupper() else synonym
