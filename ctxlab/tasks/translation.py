"""Translation of whole documents."""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import numpy as np

from ctxlab.core.types import Document, Encoded, IntArray, Merged
from ctxlab.tasks.records.evidence import checked_probes
from ctxlab.tasks.records.fields import text_of
from ctxlab.tasks.text.structure import sentence_places
from ctxlab.tasks.written.base import Writing
from ctxlab.tasks.written.prompts import Prompt
from ctxlab.text.language import checked
from ctxlab.text.units import joined, word_spans


class Translation(Writing):
    """Document to document.

    Where a document takes several windows, each writes what renders its own part, and what they write is joined in
    order. Records do not say which sentence renders which. Where both texts have as many sentences (by the rules of
    ``tasks.structure``), each counts as rendering the one of its number; else a sentence of the target renders what
    stands at the same share of the source, which is true of translations that neither leave out nor reorder much. A
    sentence belongs to the window of its middle. White space between sentences of a target is learnt as a blank.
    """

    name = "translation"
    metric = "translations"
    primary_metric = "chrf"

    def __init__(
        self,
        source_field: str = "source",
        target_field: str = "target",
        instruction: str = "",
        cue: str = "Translation:",
        shots: int = 0,
        example_words: int = 60,
        combine: str = "join",
        decoding: Mapping[str, Any] | None = None,
        language: str | None = None,
    ) -> None:
        super().__init__(decoding, Prompt(instruction, cue, shots, example_words), combine)
        self.language = checked(language)
        self._source_field, self._target_field = source_field, target_field

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Both texts of a record, checked; with ``gold=False`` the source is enough."""
        fields: dict[str, Any] = {"source": text_of(record, self._source_field, "task.source_field", origin, self.name)}
        if gold:
            fields["target"] = text_of(record, self._target_field, "task.target_field", origin, self.name)
        if record.get("probes") is not None:
            fields["probes"] = checked_probes(record["probes"], "probes", fields["source"], origin)
        return Document(str(record.get("id", origin)), fields, origin)

    def source(self, document: Document) -> str:
        """The text to translate."""
        return str(document.fields["source"])

    def target(self, document: Document) -> str | None:
        """Its translation."""
        return document.fields.get("target")

    def anchors(self, document: Document, starts: IntArray) -> list[tuple[str, int]]:
        """Each sentence of the target with the token in the middle of what it renders."""
        places = [
            (piece, int(np.searchsorted(starts, middle, side="right")) - 1) for piece, middle in rendered(document)
        ]
        return [(piece, max(at, 0)) for piece, at in places]

    def excerpt(self, document: Document, num_words: int) -> str:
        """The first sentences of an example, as many as ``num_words`` words hold, at least one."""
        return self.source(document)[: _excerpt_end(self.source(document), num_words)].strip()

    def solution(self, document: Document, num_words: int) -> str:
        """The sentences of an example's target that render its excerpt."""
        end = _excerpt_end(self.source(document), num_words)
        return joined([piece for piece, middle in rendered(document) if middle < end])[0]

    def seen_parts(self, document: Document, encoded: Encoded, merged: Merged) -> list[bool]:
        """Whether the source of each sentence of the target was read; of the whole, where there is no target."""
        anchors = self.anchors(document, encoded.starts)
        return [bool(merged.seen[at]) for _, at in anchors] or super().seen_parts(document, encoded, merged)


def rendered(document: Document) -> list[tuple[str, float]]:
    """Each sentence of the target with the character of the source in the middle of what it renders."""
    source, target = document.fields["source"], document.fields.get("target", "")
    pieces, read = sentence_places(target), sentence_places(source)
    if len(pieces) == len(read):
        middles = [(start + end) / 2 for start, end in read]
    else:
        middles = [(start + end) / 2 * len(source) / len(target) for start, end in pieces]
    return [(target[start:end].strip(), middle) for (start, end), middle in zip(pieces, middles, strict=True)]


def _excerpt_end(source: str, num_words: int) -> int:
    """The character behind the first sentences that ``num_words`` words hold, and behind the first one at least."""
    ends = [end for _, end in sentence_places(source)]
    words = [last for _, last in word_spans(source)]
    return max([ends[0], *(end for end in ends if bisect_right(words, end) <= num_words)])
