"""Translation of whole documents."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ctxlab.core.types import Document, IntArray
from ctxlab.tasks.records import text_of
from ctxlab.tasks.writing import Prompt, Writing

SENTENCE_END = re.compile(r"(?<=[.!?…])[\"”»’')]*\s+")
"""Where one sentence of a target ends and the next begins."""


class Translation(Writing):
    """Document to document.

    Where a document takes several windows, each writes what renders its own part. Records do not say which sentence
    renders which, so that a sentence of the target counts as rendering what stands at the same share of the source (by
    characters, from the sentence's middle): true of translations that neither leave out nor reorder much. What the
    windows write is joined in order.
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
    ) -> None:
        super().__init__(decoding, Prompt(instruction, cue, shots, example_words), combine)
        self._source_field, self._target_field = source_field, target_field

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Both texts of a record, checked; with ``gold=False`` the source is enough."""
        fields: dict[str, Any] = {"source": text_of(record, self._source_field, "task.source_field", origin, self.name)}
        if gold:
            fields["target"] = text_of(record, self._target_field, "task.target_field", origin, self.name)
        if record.get("probes") is not None:
            fields["probes"] = record["probes"]
        return Document(str(record.get("id", origin)), fields, origin)

    def source(self, document: Document) -> str:
        """The text to translate."""
        return str(document.fields["source"])

    def target(self, document: Document) -> str | None:
        """Its translation."""
        return document.fields.get("target")

    def anchors(self, document: Document, starts: IntArray) -> list[tuple[str, int]]:
        """Each sentence of the target with the token at the same share of the source."""
        target = self.target(document)
        if target is None:
            return []
        pieces, placed, start = SENTENCE_END.split(target), [], 0
        for piece in pieces:
            share = (start + len(piece) / 2) / max(len(target), 1)
            at = int(np.searchsorted(starts, share * len(self.source(document)), side="right")) - 1
            placed.append((piece, max(at, 0)))
            start += len(piece) + 1
        return placed
