"""Other mentions of the same type."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

import numpy as np

from ctxlab.augment.changing.base import Changing
from ctxlab.augment.changing.passage import Edit, Passage, read
from ctxlab.core.augmentation import MENTIONS, Draw
from ctxlab.core.shape import LabelledSpan
from ctxlab.core.task import Task
from ctxlab.core.types import Document, FloatArray

Name = tuple[str, ...]
"""The words of a mention."""


class MentionSwap(Changing):
    """A chosen name becomes the name of another mention of the same type, drawn as often as it occurs.

    Source: mention replacement, Dai and Adel 2020 (arXiv:2010.11683). Deviations, for long documents: a name of a
    document is replaced by the same name wherever it stands, so that a novel's hero does not change with every
    sentence, and ``dose`` counts names, not mentions; mentions that overlap others stay. A name of several words may
    become one of fewer or more.

    As an augmentation the names are those of the training documents, as a perturbation those of the scored split.
    """

    needs = MENTIONS
    changes = "names"

    def __init__(self, dose: float, share: float = 1.0) -> None:
        """See ``Changing``; ``dose`` is the fraction of the names of a document."""
        super().__init__(dose, share)
        self._names: dict[str, list[Name]] = {}
        self._sums: dict[str, FloatArray] = {}

    def learn(self, documents: Iterable[Document], task: Task) -> None:
        """Count the names of each type."""
        counts: dict[str, Counter[Name]] = {}
        for document in documents:
            passage = read(document, task)
            for span in apart(passage.spans):
                counts.setdefault(span.label, Counter())[_name(passage, span)] += 1
        self._names = {label: sorted(found) for label, found in counts.items()}
        self._sums = {label: np.cumsum([counts[label][name] for name in names]) for label, names in self._names.items()}

    def edits(self, passage: Passage, document: Document, task: Task, draw: Draw) -> Sequence[Edit]:
        """Replace ``dose`` of the document's names, each in all of its places."""
        del document, task
        spans = list(apart(passage.spans))
        known = list(dict.fromkeys((span.label, _name(passage, span)) for span in spans))
        able = [one for one in known if any(name != one[1] for name in self._names.get(one[0], ()))]
        chosen = [one for one, number in zip(able, draw.random(len(able)), strict=True) if number < self.dose]
        other = {one: self._other(*one, draw) for one in chosen}
        found = [(span, other.get((span.label, _name(passage, span)))) for span in spans]
        return [
            Edit(span.start, span.end, name, tags_of(span.label, len(name)) if len(passage.tags) else ())
            for span, name in found
            if name is not None
        ]

    def _other(self, label: str, own: Name, draw: Draw) -> Name:
        names, sums = self._names[label], self._sums[label]
        while (name := names[int(np.searchsorted(sums, draw.integers(int(sums[-1])), side="right"))]) == own:
            pass
        return name


def apart(spans: Sequence[LabelledSpan]) -> Iterator[LabelledSpan]:
    """Yield the spans, which are in order, that overlap no other one."""
    reached = 0
    for span, later in zip_longest(spans, spans[1:]):
        if reached <= span.start and (later is None or later.start >= span.end):
            yield span
        reached = max(reached, span.end)


def tags_of(label: str, count: int) -> tuple[str, ...]:
    """Return the BIO tags of a mention of ``count`` words."""
    return (f"B-{label}", *[f"I-{label}"] * (count - 1))


def _name(passage: Passage, span: LabelledSpan) -> Name:
    return tuple(passage.units[span.start : span.end])
