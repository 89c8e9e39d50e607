"""Recommendation: ranks candidate texts given the texts that a user chose before."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ctxlab.core.architecture import installed, note_installed
from ctxlab.core.errors import UserError
from ctxlab.core.types import Document, Encoded, Merged, Prediction
from ctxlab.tasks.forms.ranking import CHOSEN, Ranking, candidate_documents
from ctxlab.tasks.records.candidates import ChosenReader, candidates_of, texts_of
from ctxlab.tasks.records.evidence import evidence_field
from ctxlab.tasks.records.given_features import Weights, features_of, weighed
from ctxlab.text.language import checked
from ctxlab.text.terms import profiles

FEATURES = "features"
"""Name of the note in a model's config with the weights of given features."""

BETWEEN = "\n\n"
"""Separator of the texts of a history, in the order of the record (usually oldest first)."""


class Recommendation(Ranking):
    """Predicts of each candidate whether it was chosen, from a history of whole texts; scored as the MIND benchmark.

    Candidates may have given features. A logistic regression of the training documents weighs them, and its log odds
    are added to those of the model, which is right where features and texts say independent things of a candidate; the
    sum is scored beside the model alone.
    """

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
        features_field: str = "features",
        profile_terms: int = 8,
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
            features_field: Field with a list of numbers of each candidate, or none.
            profile_terms: Terms of what a user read that predictions have, at most; 0 for none.
            language: Two-letter code for language-specific rules; None guesses from the script.
        """
        super().__init__(combine, negatives, candidate_tokens)
        self.language = checked(language)
        self._history_field, self._candidates_field = history_field, candidates_field
        self._chosen = ChosenReader(labels_field, "task.labels_field", self.name)
        self._features_field, self._profile_terms = features_field, profile_terms
        self._weights: Weights | None = None
        self._profiles: dict[int, list[str]] = {}
        self.primary_metric = "auc"

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check history, candidates and labels of a record; with ``gold=False`` no labels are needed."""
        history = texts_of(record, self._history_field, option="task.history_field", origin=origin, task=self.name)
        candidates = candidates_of(
            record, self._candidates_field, option="task.candidates_field", origin=origin, task=self.name
        )
        text = BETWEEN.join(history)
        fields: dict[str, Any] = {"history": text, "texts": history, "candidates": candidates}
        fields["features"] = features_of(record, self._features_field, len(candidates), origin)
        fields |= evidence_field(record, len(text), origin)
        if gold:
            fields["labels"] = self._chosen.read(record, len(candidates), origin)
        return Document(str(record.get("id", origin)), fields, origin)

    def collect(self, documents: Sequence[Document]) -> None:
        """Find the terms that say most of what each user read, among all records of the split."""
        if not self._profile_terms:
            return
        found = profiles([one.fields["texts"] for one in documents], self._profile_terms)
        self._profiles |= {id(one): terms for one, terms in zip(documents, found, strict=True)}

    def expand(self, document: Document) -> list[Document]:
        """Return one document per candidate, with its features."""
        fields = document.fields
        more = {name: fields[name] for name in ("probes",) if name in fields}
        profile = self._profiles.pop(id(document), None)
        more |= {"profile": profile} if profile is not None else {}
        shared = (fields["history"], fields["candidates"], fields.get("labels"), document.origin)
        found = candidate_documents(document.id, document.id, *shared, **more)
        rows = fields["features"] or [()] * len(found)
        return [replace(one, fields={**one.fields, "features": row}) for one, row in zip(found, rows, strict=True)]

    def learn_labels(self, documents: Sequence[Document]) -> None:
        """Weigh the features of the training documents, besides what a ranking learns.

        Raises:
            UserError: Some candidates have other features than the first, or none.
        """
        rows: list[Sequence[float]] = []
        chosen: list[bool] = []
        for document in documents:  # once: a large file is read
            rows.append(document.fields["features"])
            chosen.append(document.fields["gold"] == (CHOSEN,))
            if len(rows[-1]) != len(rows[0]):
                raise self._differing(document, rows[-1], len(rows[0]))
        self.sample(chosen)
        if rows[0]:
            self._weights = weighed(rows, chosen)

    def check_labels(self, documents: Sequence[Document]) -> None:
        """Check the labels, and that candidates have the features that the training documents had.

        Raises:
            UserError: They do not.
        """
        super().check_labels(documents)
        if self._weights is None:
            return
        for document in documents:
            row, count = document.fields["features"], len(self._weights.weights)
            if len(row) != count:
                raise self._differing(document, row, count)

    def _differing(self, document: Document, row: Sequence[float], count: int) -> UserError:
        return UserError(
            f"The candidates of {document.origin} have {len(row)} features in '{self._features_field}', and those "
            f"of the training documents {count}: give all of them the same, or leave the field out everywhere."
        )

    def install(self, model: Any) -> None:
        """Note the weights of features in the config of the model, or take those of a checkpoint."""
        saved = installed(model.config, "task").get(FEATURES)
        if self._weights is None and saved:
            self._weights = Weights.of(saved)
        if self._weights is not None:
            note_installed(model.config, "task", {FEATURES: self._weights.plain()})

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """Return the ``Verdict``, with the log odds that given features add."""
        found, row = super().decode(document, encoded, merged), document.fields["features"]
        if self._weights is None:
            return found
        if len(row) != len(self._weights.weights):
            note = (
                f"The run was trained with {len(self._weights.weights)} features of each candidate, and some here have "
                f"{len(row)}: these are ranked without."
            )
            self.notes.extend([] if note in self.notes else [note])
            return found
        return replace(found, answer=replace(found.answer, beside=self._weights.odds(row)))

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return a line per candidate; that of the first one of a record has the terms of what the user read."""
        profile = document.fields.get("profile")
        is_first = profile is not None and document.fields["number"] == 1
        return {**super().record(document, prediction), **({"profile": profile} if is_first else {})}
