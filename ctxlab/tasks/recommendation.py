"""Recommendation: ranks candidate texts given the texts that a user chose before."""

from collections.abc import Mapping
from typing import Any

from ctxlab.core.types import Document
from ctxlab.tasks.forms.ranking import Ranking, candidate_documents
from ctxlab.tasks.records.candidates import ChosenReader, candidates_of, texts_of
from ctxlab.tasks.records.evidence import evidence_field
from ctxlab.text.language import checked

BETWEEN = "\n\n"
"""Separator of the texts of a history, in the order of the record (usually oldest first)."""


class Recommendation(Ranking):
    """Predicts of each candidate whether it was chosen, from a history of whole texts; scored as the MIND benchmark."""

    name = "recommendation"
    record_fields = (("history", "candidates"),)
    metric = "ranking"

    def __init__(
        self,
        history_field: str = "history",
        candidates_field: str = "candidates",
        labels_field: str = "labels",
        negatives: int | None = 4,
        candidate_tokens: int = 64,
        combine: str = "mean",
        language: str | None = None,
    ) -> None:
        """Check and store the options.

        Args:
            history_field: Field of a record with the texts that were chosen before, a list.
            candidates_field: Field with the texts to rank, a list.
            labels_field: Field with a list of 1 for each chosen candidate and 0 for the others.
            negatives: Negatives per chosen candidate that an epoch trains on; None trains on all.
            candidate_tokens: Maximum tokens of a candidate; a longer one is truncated.
            combine: How predictions of windows are combined: ``mean``, ``max`` or ``attention``.
            language: Two-letter code for language-specific rules; None guesses from the script.
        """
        super().__init__(combine, negatives, candidate_tokens)
        self.language = checked(language)
        self._history_field, self._candidates_field = history_field, candidates_field
        self._chosen = ChosenReader(labels_field, "task.labels_field", self.name)
        self.primary_metric = "auc"

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check history, candidates and labels of a record; with ``gold=False`` no labels are needed."""
        history = texts_of(record, self._history_field, option="task.history_field", origin=origin, task=self.name)
        candidates = candidates_of(
            record, self._candidates_field, option="task.candidates_field", origin=origin, task=self.name
        )
        text = BETWEEN.join(history)
        fields: dict[str, Any] = {"history": text, "candidates": candidates}
        fields |= evidence_field(record, len(text), origin)
        if gold:
            fields["labels"] = self._chosen.read(record, len(candidates), origin)
        return Document(str(record.get("id", origin)), fields, origin)

    def expand(self, document: Document) -> list[Document]:
        """Return one document per candidate."""
        fields = document.fields
        more = {name: fields[name] for name in ("probes",) if name in fields}
        shared = (fields["history"], fields["candidates"], fields.get("labels"), document.origin)
        return candidate_documents(document.id, document.id, *shared, **more)
