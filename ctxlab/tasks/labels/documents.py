"""Labels of whole documents as suggestions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.labelling import Guess, Judged, Kept, LabelForm, Suggestion
from ctxlab.core.types import Document, DoubleArray, Opinion, Prediction

SHOWN = 5
"""Number of labels that a reviewer is shown with their probabilities."""

OF_QUEUE = ("answer", "suggestions", "score", "reviewed")
"""Fields of a line of the queue that are not the record's."""


class DocumentLabels(LabelForm):
    """Labels of a classifier of whole documents.

    The confidence of an answer is the probability of the label; of several labels, the lowest probability with which
    any label is there or not, as the answer is.
    """

    unit = "documents"
    dropped = (
        "A document whose confidence is below the threshold is left out: it has no label but this one, and without a "
        "label it teaches nothing."
    )

    def __init__(self, labels: Sequence[str], field: str, *, several: bool) -> None:
        """Store the labels that the model knows, the name of the field, and whether a document has several."""
        self._labels, self._field, self._several = list(labels), field, several
        self._are_numbers = all(name.removeprefix("-").isdecimal() for name in labels)

    def has_gold(self, record: Record) -> bool:
        """Whether a record has the field of the label."""
        return record.fields.get(self._field) is not None

    def guess(self, record: Record, document: Document, prediction: Prediction, opinion: Opinion) -> Guess:
        """Return the label or labels of the answer; an unread document has none."""
        given, chosen = opinion.probabilities[0], prediction.answer.chosen
        column = {name: place for place, name in enumerate(opinion.names)}
        found = tuple(Suggestion(name, float(given[column[name]])) for name in chosen)
        whole = np.maximum(given, 1 - given).min() if self._several else given.max()
        seen = bool(opinion.seen[0])
        rows = _rows(given, several=self._several) if seen else np.zeros((0, len(given)))
        return Guess(record, document, found, confidence=float(whole), distributions=rows, is_whole=seen)

    def kept(self, guess: Guess, threshold: float) -> tuple[Suggestion, ...] | None:
        """Return the labels of a document of which all is sure, else None."""
        return guess.suggestions if guess.confidence >= threshold else None

    def line(self, kept: Kept) -> dict[str, Any]:
        """Return the record with the label in its field; labels that are whole numbers are written as numbers."""
        names = [int(one.label) if self._are_numbers else one.label for one in kept.suggestions]
        return {**kept.record.fields, "id": kept.document.id, self._field: names if self._several else names[0]}

    def shuffled(self, kept: Sequence[Kept], seed: int) -> list[Kept]:
        """Return the documents with their answers exchanged at random: every answer as often as before."""
        order = np.random.default_rng(seed).permutation(len(kept))
        return [replace(one, suggestions=kept[place].suggestions) for one, place in zip(kept, order, strict=True)]

    def judged(self, guess: Guess, gold: Document) -> list[Judged]:
        """Return whether the answer is gold's, all of it."""
        right = {one.label for one in guess.suggestions} == set(gold.fields["gold"])
        return [Judged(guess.confidence, right)]

    def queued(self, guess: Guess) -> dict[str, Any]:
        """Return the record without its label, the answer to be corrected, and the likeliest labels."""
        names = [one.label for one in guess.suggestions]
        given = sorted(self._given(guess), key=lambda pair: -pair[1])[:SHOWN]
        return {
            **self._text(guess.record.fields),
            "id": guess.document.id,
            "answer": names if self._several else next(iter(names), None),
            "suggestions": [{"label": name, "confidence": round(value, 4)} for name, value in given],
        }

    def _given(self, guess: Guess) -> list[tuple[str, float]]:
        """Return the probability of every label."""
        rows = guess.distributions
        if not len(rows):
            return []
        return list(zip(self._labels, (rows[:, 1] if self._several else rows[0]).tolist(), strict=True))

    def _text(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a record without its gold label."""
        return {name: value for name, value in fields.items() if name not in (self._field, *OF_QUEUE)}

    def reviewed(self, line: Mapping[str, Any], record: Record, document: Document, place: str) -> Kept:
        """Return the label of a reviewer; see ``LabelForm.reviewed``."""
        had = {**self._text(record.fields), "id": document.id}
        changed = next((name for name, value in had.items() if line.get(name) != value), None)
        if changed is not None:
            raise UserError(
                f"{place}: the field '{changed}' of '{document.id}' differs from that of the input: correct only "
                "'answer' and 'reviewed'."
            )
        answer = line.get("answer")
        if isinstance(answer, list) != self._several:
            needed = "a list of labels" if self._several else "one label"
            raise UserError(f"{place}: 'answer' is {str(answer)[:60]!r}: give {needed}.")
        names = [str(one) for one in (answer if isinstance(answer, list) else [answer])]
        wrong = next((name for name in names if name not in self._labels), None)
        if wrong is not None:
            raise UserError(f"{place}: the run has no label '{wrong}', it knows {', '.join(self._labels)}.")
        return Kept(record, document, tuple(Suggestion(name, 1.0) for name in dict.fromkeys(names)))


def _rows(given: DoubleArray, *, several: bool) -> DoubleArray:
    """Return (1, C) the probabilities of the classes; of several labels (C, 2), absent and present."""
    return np.stack([1 - given, given], axis=1) if several else given[None]
