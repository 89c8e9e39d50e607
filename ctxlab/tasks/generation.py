"""Constrained generation: a long prompt asks for words, a topic and a length, and the generated text must meet them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.types import Document
from ctxlab.tasks.generative.base import GenerativeTask
from ctxlab.tasks.generative.prompts import Prompt
from ctxlab.tasks.records.evidence import evidence_field
from ctxlab.tasks.records.fields import kind, text_of
from ctxlab.text.language import checked
from ctxlab.text.units import last_words, squeezed

KNOWN = ("words", "topic", "topic_words", "min_words", "max_words")
"""Fields of a record's constraints."""


@dataclass(frozen=True, slots=True)
class Constraints:
    """The constraints on a text; those that are not set are empty or None."""

    words: tuple[str, ...] = ()
    """Words that must all occur."""
    topic: str | None = None
    topic_words: tuple[str, ...] = ()
    """Words of which one must occur: those of the topic, unless the record lists others."""
    min_words: int | None = None
    max_words: int | None = None


class Generation(GenerativeTask):
    """A text that continues a prompt; the prompt states the constraints, and the record repeats them for scoring.

    A prompt longer than the context is read in windows like any document; the text of the last window counts, as it
    continues the end of the prompt, unless ``combine`` is another rule.
    """

    name = "generation"
    kinds = frozenset({"decoder"})
    metric = "constraints"
    primary_metric = "constraints_met"
    scores_target = True

    def __init__(
        self,
        prompt_field: str = "prompt",
        text_field: str = "text",
        constraints_field: str = "constraints",
        instruction: str = "",
        cue: str = "Text:",
        shots: int = 0,
        example_words: int = 120,
        combine: str = "last",
        decoding: Mapping[str, Any] | None = None,
        language: str | None = None,
    ) -> None:
        """Check and store the options.

        Args:
            prompt_field: Field of a record with the prompt.
            text_field: Field with a text that meets the constraints; may be missing.
            constraints_field: Field with the constraints to score.
            instruction: Of a prompt: text before every window.
            cue: Of a prompt: text after which the answer begins.
            shots: Solved training documents before every window of a decoder, 0 or more, drawn by seed.
            example_words: Words shown from the end of each solved document's prompt, at least 1.
            combine: How texts of windows are combined: ``join``, ``best`` or ``last``.
            decoding: Settings of generation, the keys of ``conf/task/decoding``; None for greedy search.
            language: Two-letter code for language-specific rules; None guesses from the script.
        """
        super().__init__(decoding, Prompt(instruction, cue, shots, example_words), combine)
        self.language = checked(language)
        self._prompt_field, self._text_field, self._constraints_field = prompt_field, text_field, constraints_field

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check the prompt of a record, its constraints and a text that meets them; the text may be missing."""
        prompt = text_of(record, self._prompt_field, option="task.prompt_field", origin=origin, task=self.name)
        fields: dict[str, Any] = {"prompt": prompt}
        if gold:
            fields["constraints"] = read_constraints(record, self._constraints_field, origin)
        if gold and record.get(self._text_field) is not None:
            fields["text"] = text_of(record, self._text_field, option="task.text_field", origin=origin, task=self.name)
        fields |= evidence_field(record, len(prompt), origin)
        return Document(str(record.get("id", origin)), fields, origin)

    def source(self, document: Document) -> str:
        """Return the prompt."""
        return str(document.fields["prompt"])

    def target(self, document: Document) -> str | None:
        """Return a text that meets the constraints, where the record has one."""
        return document.fields.get("text")

    def excerpt(self, document: Document, num_words: int) -> str:
        """Return the end of a few-shot example's prompt, which its text continues."""
        return last_words(self.source(document), num_words)


def read_constraints(record: Mapping[str, Any], field: str, origin: str) -> Constraints:
    """Return the checked constraints of a record.

    Raises:
        UserError: There are none, one is not known, or one has a value that no text can meet.
    """
    given = record.get(field)
    if not isinstance(given, Mapping):
        raise UserError(
            f"The field '{field}' of {origin} is {kind(given)}: give an object with one or more of {', '.join(KNOWN)}."
        )
    present = {name: value for name, value in given.items() if value is not None}
    for name in present:
        if name not in KNOWN:
            raise UserError(f"The constraint '{name}' of {origin} is not known: use {', '.join(KNOWN)}.")
    if not present:
        raise UserError(f"The field '{field}' of {origin} has no constraint: give at least one.")
    words = {name: _words(present.get(name, []), name, origin) for name in ("words", "topic_words")}
    topic = present.get("topic")
    if topic is not None and not (isinstance(topic, str) and topic.strip()):
        raise UserError(f"The constraint 'topic' of {origin} is {kind(topic)}: give a text of at least a word.")
    least, most = (_count(present.get(name), name, origin) for name in ("min_words", "max_words"))
    if least is not None and most is not None and least > most:
        raise UserError(f"{origin} asks for min_words={least} and max_words={most}, which no text meets: swap them.")
    topic_words = words["topic_words"] or (tuple(squeezed(topic).split(" ")) if topic else ())
    return Constraints(words["words"], topic, topic_words=topic_words, min_words=least, max_words=most)


def _words(value: Any, name: str, origin: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) and word.strip() for word in value):
        raise UserError(
            f"The constraint '{name}' of {origin} is not a list of words: give one such as [lamp, harbour]."
        )
    return tuple(value)


def _count(value: Any, name: str, origin: str) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise UserError(f"The constraint '{name}' of {origin} is {value!r}: give a whole number of at least 1.")
    return value
