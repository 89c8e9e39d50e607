"""Translation of whole documents."""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import numpy as np

from ctxlab.core.shape import Shape
from ctxlab.core.types import Document, Encoded, IntArray, Merged
from ctxlab.tasks.generative.base import GenerativeTask
from ctxlab.tasks.generative.prompts import Prompt
from ctxlab.tasks.records.evidence import checked_evidence
from ctxlab.tasks.records.fields import text_of
from ctxlab.tasks.text.structure import sentence_places
from ctxlab.text.language import checked
from ctxlab.text.units import joined, word_spans


class Translation(GenerativeTask):
    """Document-to-document translation.

    Where a document takes several windows, each generates the translation of its own part, and the parts are joined in
    order. Records have no sentence alignment. Where both texts have the same number of sentences (by the rules of
    ``tasks.text.structure``), they are aligned one to one; else a sentence of the target is aligned to the same
    relative position in the source, which holds for translations that neither omit nor reorder much. A sentence belongs
    to the window that contains its middle. White space between sentences of a target is trained as a blank.
    """

    name = "translation"
    record_fields = (("source", "target"), ("translation",))
    metric = "translations"
    primary_metric = "chrf"
    shape = Shape("source", spans=("probes",), aligned=True)

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
        """Check and store the options.

        Args:
            source_field: Field of a record with the text.
            target_field: Field with its translation.
            instruction: Of a prompt: text before every window.
            cue: Of a prompt: text after which the answer begins.
            shots: Solved training documents before every window of a decoder, 0 or more, drawn by seed.
            example_words: Words shown of each solved document, at least 1.
            combine: How texts of windows are combined: ``join``, ``best`` or ``last``.
            decoding: Settings of generation, the keys of ``conf/task/decoding``; None for greedy search.
            language: Two-letter code for language-specific rules; None guesses from the script.
        """
        super().__init__(decoding, Prompt(instruction, cue, shots, example_words), combine)
        self.language = checked(language)
        self._source_field, self._target_field = source_field, target_field

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check both texts of a record; with ``gold=False`` the source is enough."""
        fields: dict[str, Any] = {
            "source": text_of(record, self._source_field, option="task.source_field", origin=origin, task=self.name)
        }
        if gold:
            fields["target"] = text_of(
                record, self._target_field, option="task.target_field", origin=origin, task=self.name
            )
        if record.get("probes") is not None:
            fields["probes"] = checked_evidence(record["probes"], "probes", fields["source"], origin)
        return Document(str(record.get("id", origin)), fields, origin)

    def source(self, document: Document) -> str:
        """Return the text to translate."""
        return str(document.fields["source"])

    def target(self, document: Document) -> str | None:
        """Return the gold translation."""
        return document.fields.get("target")

    def anchors(self, document: Document, starts: IntArray) -> list[tuple[str, int]]:
        """Return each sentence of the target with the token in the middle of its source."""
        places = [
            (piece, int(np.searchsorted(starts, middle, side="right")) - 1) for piece, middle in rendered(document)
        ]
        return [(piece, max(at, 0)) for piece, at in places]

    def excerpt(self, document: Document, num_words: int) -> str:
        """Return the first sentences of a few-shot example within ``num_words`` words, at least one."""
        return self.source(document)[: _excerpt_end(self.source(document), num_words)].strip()

    def solution(self, document: Document, num_words: int) -> str:
        """Return the sentences of a few-shot example's target that translate its excerpt."""
        end = _excerpt_end(self.source(document), num_words)
        return joined([piece for piece, middle in rendered(document) if middle < end])[0]

    def seen_parts(self, document: Document, encoded: Encoded, merged: Merged) -> list[bool]:
        """Return for each sentence of the target whether its source was read; for the whole, without a target."""
        anchors = self.anchors(document, encoded.starts)
        return [bool(merged.seen[at]) for _, at in anchors] or super().seen_parts(document, encoded, merged)


def rendered(document: Document) -> list[tuple[str, float]]:
    """Return each sentence of the target with the character in the middle of its source."""
    source, target = document.fields["source"], document.fields.get("target", "")
    pieces, read = sentence_places(target), sentence_places(source)
    if len(pieces) == len(read):
        middles = [(start + end) / 2 for start, end in read]
    else:
        middles = [(start + end) / 2 * len(source) / len(target) for start, end in pieces]
    return [(target[start:end].strip(), middle) for (start, end), middle in zip(pieces, middles, strict=True)]


def _excerpt_end(source: str, num_words: int) -> int:
    """Return the end of the last sentence within the first ``num_words`` words, at least that of the first sentence."""
    ends = [end for _, end in sentence_places(source)]
    words = [last for _, last in word_spans(source)]
    return max([ends[0], *(end for end in ends if bisect_right(words, end) <= num_words)])
