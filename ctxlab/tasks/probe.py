"""Probes: one question about a text that was written to ask it, at a known length and depth."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ctxlab.core.errors import UserError
from ctxlab.core.task import Loss
from ctxlab.core.types import Document, Encoded, Merged, Prediction
from ctxlab.tasks import marking
from ctxlab.tasks.labels import sorted_labels
from ctxlab.tasks.pairs import pair_frame
from ctxlab.tasks.records import check_characters, kind, lookalike, text_of
from ctxlab.tasks.text import encode_text
from ctxlab.tasks.whole import Framing, Verdict, Whole, evidence_tokens

FORMS = ("classification", "marking")

BETWEEN = ", "
"""What stands between several answers."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What is said to the question, as plain text: chosen, marked or written."""

    text: str
    """Empty where nothing was read."""
    num_choices: int = 0
    """Answers that it was chosen from; 0 where the list is open."""


class Probe(Whole):
    """The question stands in front of every window of the text, and the answer is chosen or marked.

    - ``classification``: one of a closed list of answers, as in every task with one answer a document.
    - ``marking``: the words of the text with the best scores, as many as are asked for.

    A record has ``text``, ``question`` and ``answers``; ``spans`` (characters of the answers, or of what tells them),
    ``choices`` (the closed list), ``all`` (whether every answer is wanted, or any will do), ``length`` and ``depth``
    where they are known.
    """

    name = "probe"
    kinds = frozenset({"encoder"})
    metric = "probe"

    def __init__(
        self,
        form: str = "classification",
        labels: Sequence[str | int] | None = None,
        text_field: str = "text",
        combine: str = "attention",
    ) -> None:
        if form not in FORMS:
            raise UserError(f"task.form={form} is not known: use {' or '.join(FORMS)}.")
        super().__init__(labels, "answers", combine, several=False)
        self.primary_metric, self.encode_options = "recall", (form,)
        self._marks, self._text_field = form == "marking", text_field
        if self._marks:
            self.head = "token_classification"

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Text, question and answers of a record, checked; with ``gold=False`` text and question are enough."""
        text = text_of(record, self._text_field, "task.text_field", origin, self.name)
        question = _question(record, origin)
        answers = _texts(record, "answers", origin) if gold else []
        fields: dict[str, Any] = {
            "text": text,
            "question": question,
            "choices": _texts(record, "choices", origin) if record.get("choices") else [],
            "spans": _spans(record, text, origin),
            "all": bool(record.get("all", True)),
            "length": record.get("length") or 1 << (len(text.split()) - 1).bit_length(),
            "depth": record.get("depth"),
        }
        fields["asked"] = int(record.get("asked") or (len(answers) if fields["all"] else 1) or 1)
        if gold:
            fields["answers"] = answers
            fields |= self._marked(fields, origin) if self._marks else self._chosen(fields, origin)
        return Document(str(record.get("id", origin)), fields, origin)

    def _marked(self, fields: Mapping[str, Any], origin: str) -> dict[str, Any]:
        """Where the answers stand, found again where the record does not say."""
        if fields["spans"]:
            return {}
        spans: list[list[int]] = []
        for answer in fields["answers"]:
            places = [list(m.span()) for m in re.finditer(rf"(?i)(?<!\w){re.escape(answer)}(?!\w)", fields["text"])]
            if not places:
                raise UserError(
                    f"The answer {answer!r} of {origin} is not in its text, so that it cannot be marked: "
                    "use task.form=classification."
                )
            spans += places
        return {"spans": spans}

    def _chosen(self, fields: Mapping[str, Any], origin: str) -> dict[str, Any]:
        if len(fields["answers"]) != 1:
            raise UserError(
                f"{origin} has {len(fields['answers'])} answers, and one is chosen with task.form=classification: "
                "use task.form=marking."
            )
        return {"gold": self.gold({"answers": fields["answers"][0]}, origin)}

    def learn_labels(self, documents: Sequence[Document]) -> None:
        """The closed list of the documents, or the answers that they have."""
        if self._marks:
            self.labels = ["answer"]
        elif not self.labels:
            known = {choice for document in documents for choice in document.fields["choices"]}
            if known:
                self.labels = sorted_labels(known)
            super().learn_labels(documents)

    def prepare(self, tokenizer: Any) -> None:
        """Refuse a tokenizer that puts nothing in front of a text, as marks need a place for "not here"."""
        if self._marks and not pair_frame(tokenizer).before:
            raise UserError(
                f"{type(tokenizer).__name__} puts no token such as [CLS] in front of a text, which stands for "
                '"no answer here" in task=probe: choose an encoder that has one, or probe.form=classification.'
            )

    def text(self, document: Document) -> str:
        """The haystack."""
        text: str = document.fields["text"]
        return text

    def framing(self, document: Document, tokenizer: Any) -> Framing:
        """The question in front of the text, parted as the tokenizer parts two texts."""
        around = pair_frame(tokenizer)
        query = tuple(map(int, encode_text(tokenizer, document.fields["question"]).input_ids))
        return Framing((*around.before, *query, *around.between), around.after, query)

    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Whole texts as token ids, labelled with the answer, or with whether a token is part of one."""
        encoded = super().encode(documents, tokenizer)
        if not self._marks:
            return encoded
        pairs = zip(documents, encoded, strict=True)
        return [replace(tokens, labels=marking.marks(tokens, document.fields["spans"])) for document, tokens in pairs]

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
        """Of marks (B, W, 1), or of the choice (B, C); labels (B, W)."""
        return marking.loss(outputs, labels) if self._marks else super().loss(outputs, labels)

    def observe(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(B, W, 1) scores of tokens, or (B, W, C) what the window says, on each of its tokens."""
        return marking.observe(outputs) if self._marks else super().observe(outputs, labels)

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """The ``Reply``; ``seen`` says whether all of each span was, or of the text where none is known."""
        fields = document.fields
        seen = [bool(merged.seen[evidence_tokens(encoded, *span)].all()) for span in fields["spans"]]
        seen = seen or [bool(merged.seen.all())]
        if self._marks:
            words = marking.best_words(fields["text"], encoded, merged, fields["asked"])
            return Prediction(document.id, Reply(BETWEEN.join(words)), seen)
        verdict: Verdict = super().decode(document, encoded, merged).answer
        return Prediction(document.id, Reply("".join(verdict.chosen), len(verdict.classes)), seen)

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """What was asked and what was said."""
        return {"id": document.id, "question": document.fields["question"], "answer": prediction.answer.text}


def _question(record: Mapping[str, Any], origin: str) -> str:
    question = record.get("question")
    if not isinstance(question, str) or not question.strip():
        other = None if "question" in record else lookalike(record, "probe")
        looks = f"; it looks like a record for task={other}" if other else ""
        raise UserError(f"The field 'question' of {origin} is {kind(question)}{looks}: give what is asked.")
    check_characters(question, origin)
    return question


def _texts(record: Mapping[str, Any], field: str, origin: str) -> list[str]:
    """A list of texts, none of them blank."""
    given = record.get(field)
    if not isinstance(given, list | tuple) or not given:
        raise UserError(f"The field '{field}' of {origin} is {kind(given or None)}: give a list of texts.")
    for value in given:
        if not isinstance(value, str) or not value.strip():
            raise UserError(f"The field '{field}' of {origin} has {value!r}: give texts that are not empty.")
        check_characters(value, origin)
    return list(given)


def _spans(record: Mapping[str, Any], text: str, origin: str) -> list[list[int]]:
    """Stretches of characters within the text."""
    given = record.get("spans")
    spans = [list(span) for span in ([] if given is None else given)]
    for span in spans:
        if len(span) != 2 or not 0 <= span[0] < span[1] <= len(text):
            raise UserError(
                f"The field 'spans' of {origin} has {span}, which is no stretch of its {len(text)} characters: "
                "give first and last character, the latter not included."
            )
    return spans
