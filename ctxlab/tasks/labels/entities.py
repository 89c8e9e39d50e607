"""Entities as suggestions: the words of a document with a type and a confidence each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.labelling import Guess, Judged, Kept, LabelForm, Suggestion
from ctxlab.core.types import Document, Opinion, Prediction
from ctxlab.tasks.records.bio import OUTSIDE, Span, spans

CARRIED = ("sentence_starts", "global_words", "language")
"""Fields of a document that are written with its words and tags."""


class EntityLabels(LabelForm):
    """Entities of a tagger; the confidence of one is the lowest probability among the tags of its words."""

    unit = "entities"
    dropped = (
        "An entity below the threshold is dropped: its words are outside entities in what is written, as leaving the "
        "document out would lose every long one, where some entity is always unsure; a document of which no entity is "
        "left is left out, as is one without any where the tag O of some word is below the threshold."
    )

    def __init__(self, types: Sequence[str], tokens_field: str, tags_field: str) -> None:
        """Store the entity types that the model knows, and the names of the fields of a record."""
        self._types, self._tokens_field, self._tags_field = sorted(types), tokens_field, tags_field

    def has_gold(self, record: Record) -> bool:
        """Whether a record has tags or spans."""
        return record.fields.get(self._tags_field, record.fields.get("spans")) is not None

    def guess(self, record: Record, document: Document, prediction: Prediction, opinion: Opinion) -> Guess:
        """Return the entities of the answer with their confidences."""
        column = {name: place for place, name in enumerate(opinion.names)}
        sure = np.array(
            [_sure(row, tag, column) for row, tag in zip(opinion.probabilities, prediction.answer, strict=True)]
        )
        found = tuple(
            Suggestion(span.type, float(sure[span.start : span.end].min()), span.start, span.end)
            for span in spans(prediction.answer)
        )
        return Guess(
            record,
            document,
            found,
            confidence=float(sure.min()),
            distributions=opinion.probabilities[opinion.seen],
            is_whole=bool(opinion.seen.all()),
        )

    def kept(self, guess: Guess, threshold: float) -> tuple[Suggestion, ...] | None:
        """Return the entities that are sure; None where there is none, unless all words are surely outside."""
        sure = tuple(one for one in guess.suggestions if one.confidence >= threshold)
        return sure if sure or (not guess.suggestions and guess.confidence >= threshold) else None

    def line(self, kept: Kept) -> dict[str, Any]:
        """Return words and tags."""
        fields, words = kept.document.fields, kept.document.fields["tokens"]
        tags = [OUTSIDE] * len(words)
        for one in kept.suggestions:
            tags[one.start : one.end] = [f"B-{one.label}", *[f"I-{one.label}"] * (one.end - one.start - 1)]
        carried = {name: fields[name] for name in CARRIED if name in fields}
        return {"id": kept.document.id, self._tokens_field: list(words), self._tags_field: tags, **carried}

    def shuffled(self, kept: Sequence[Kept], seed: int) -> list[Kept]:
        """Return each document with its own entities in random places: every type and length as often as before."""
        rng = np.random.default_rng(seed)
        return [_moved(one, rng) for one in kept]

    def judged(self, guess: Guess, gold: Document) -> list[Judged]:
        """Return whether each entity is in gold, with the same words and type."""
        right = set(spans(gold.fields["tags"]))
        return [Judged(one.confidence, Span(one.start, one.end, one.label) in right) for one in guess.suggestions]

    def queued(self, guess: Guess) -> dict[str, Any]:
        """Return words, the entities to be corrected, and these with their confidences."""
        words = list(guess.document.fields["tokens"])
        answer = [
            {"type": one.label, "start": one.start, "end": one.end, "text": " ".join(words[one.start : one.end])}
            for one in guess.suggestions
        ]
        sure = [round(one.confidence, 4) for one in guess.suggestions]
        given = [{**one, "confidence": value} for one, value in zip(answer, sure, strict=True)]
        return {"id": guess.document.id, "tokens": words, "answer": answer, "suggestions": given}

    def reviewed(self, line: Mapping[str, Any], record: Record, document: Document, place: str) -> Kept:
        """Return the entities of a reviewer; see ``LabelForm.reviewed``."""
        words = list(document.fields["tokens"])
        if line.get("tokens") != words:
            raise UserError(
                f"{place}: the tokens of '{document.id}' differ from those of the input, to which its entities refer: "
                "correct only 'answer' and 'reviewed'."
            )
        answer = line.get("answer")
        if not isinstance(answer, list):
            raise UserError(f"{place}: 'answer' is not a list of entities: give [] where there is none.")
        found = sorted((self._entity(one, len(words), place) for one in answer), key=lambda one: one.start)
        for one, other in pairwise(found):
            if other.start < one.end:
                raise UserError(
                    f"{place}: the entities at words {one.start} to {one.end} and {other.start} to {other.end} "
                    "overlap: a word has one type, remove one of them."
                )
        return Kept(record, document, tuple(found))

    def _entity(self, given: Any, num_words: int, place: str) -> Suggestion:
        if not isinstance(given, dict) or not {"type", "start", "end"} <= given.keys():
            raise UserError(
                f'{place}: {str(given)[:60]!r} is not an entity: write {{"type": …, "start": …, "end": …}}.'
            )
        name, start, end = given["type"], given["start"], given["end"]
        if name not in self._types:
            raise UserError(f"{place}: the run has no entity type '{name}', it knows {', '.join(self._types)}.")
        if type(start) is not int or type(end) is not int or not 0 <= start < end <= num_words:
            raise UserError(
                f"{place}: the entity from word {start} to {end} is not within the {num_words} words of the document: "
                "start counts from 0, and end is the word after its last."
            )
        return Suggestion(name, 1.0, start, end)


def _sure(row: Any, tag: str, column: Mapping[str, int]) -> float:
    """Return the probability of a word's tag; a repaired ``B-X`` was ``I-X`` for the model."""
    names = [tag, f"I-{tag[2:]}"] if tag[0] == "B" else [tag]
    return float(max(row[column[name]] for name in names if name in column))


def _moved(kept: Kept, rng: np.random.Generator) -> Kept:
    inside = sum(one.end - one.start for one in kept.suggestions)
    units: list[Suggestion | None] = [*kept.suggestions, *[None] * (len(kept.document.fields["tokens"]) - inside)]
    moved, place = [], 0
    for number in rng.permutation(len(units)):
        one = units[number]
        length = 1 if one is None else one.end - one.start
        if one is not None:
            moved.append(replace(one, start=place, end=place + length))
        place += length
    return replace(kept, suggestions=tuple(moved))
