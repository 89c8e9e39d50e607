"""Words of the same label."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from ctxlab.augment.changing.base import EachWord
from ctxlab.augment.changing.passage import Passage
from ctxlab.core.augmentation import TAGS, Draw
from ctxlab.core.task import Task
from ctxlab.core.types import Document, FloatArray


class LabelWise(EachWord):
    """A chosen word becomes another word of the training documents with the same tag, drawn as often as it occurs.

    Source: label-wise token replacement, Dai and Adel 2020 (arXiv:2010.11683), where the tag of a word with ``B-`` is
    another one than with ``I-``, and words outside entities are replaced too. Deviation: never by the word itself.
    """

    needs = TAGS

    def __init__(self, dose: float, share: float = 1.0) -> None:
        """See ``Changing``."""
        super().__init__(dose, share)
        self._words: dict[str, list[str]] = {}
        self._sums: dict[str, FloatArray] = {}

    def learn(self, documents: Iterable[Document], task: Task) -> None:
        """Count the words of each tag."""
        assert task.shape is not None
        counts: dict[str, Counter[str]] = {}
        for document in documents:
            pairs = zip(document.fields[task.shape.text], document.fields.get(task.shape.tags, ()), strict=False)
            for word, tag in pairs:
                counts.setdefault(tag, Counter())[word] += 1
        self._words = {tag: sorted(found) for tag, found in counts.items()}
        self._sums = {tag: np.cumsum([counts[tag][word] for word in words]) for tag, words in self._words.items()}

    def able(self, passage: Passage, index: int) -> bool:
        """Return whether another word has the unit's tag."""
        words = self._words.get(passage.tags[index], []) if len(passage.tags) else []
        return len(words) > 1 or (len(words) == 1 and words[0] != passage.units[index])

    def other(self, passage: Passage, index: int, draw: Draw) -> str:
        """Return a word of the same tag."""
        words, sums, own = self._words[passage.tags[index]], self._sums[passage.tags[index]], passage.units[index]
        while (word := words[int(np.searchsorted(sums, draw.integers(int(sums[-1])), side="right"))]) == own:
            pass
        return word
