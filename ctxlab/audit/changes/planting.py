"""A sentence planted in a document at a place."""

from dataclasses import replace

from ctxlab.augment.changing.passage import Edit, read, sentences, write
from ctxlab.core.task import Task
from ctxlab.core.types import Document

PROMPT = "prompt"
"""Field with the text of tasks without a shape that continue it."""


def can_plant(document: Document, task: Task) -> bool:
    """Whether a sentence can be planted in documents of a task."""
    return isinstance(document.fields.get(_field(task)), str)


def plant(document: Document, task: Task, sentence: str, depth: float) -> Document:
    """Return the document with a sentence before one of its own, or at its end; places move along.

    Args:
        document: As the task parsed it.
        task: Says where it has its text.
        sentence: The sentence.
        depth: Fraction of its sentences before the place.
    """
    if task.shape is None:
        return _in_prompt(document, sentence, depth)
    passage = read(document, task)
    inside = {place for span in passage.spans for place in range(span.start + 1, span.end)}
    starts = [start for start, _ in sentences(document, task, passage) if start not in inside]
    starts.append(len(passage.units))
    at = starts[round(depth * (len(starts) - 1))]
    unit = f" {sentence}" if at == len(passage.units) else sentence
    return task.renew(write(document, task.shape, passage, [Edit(at, at, (unit,))]))


def _in_prompt(document: Document, sentence: str, depth: float) -> Document:
    """Plant at a blank of a prompt, whose places (pieces of evidence) are left out of the copy."""
    text = document.fields[PROMPT]
    blanks = [0, *(i + 1 for i, letter in enumerate(text) if letter in "\n.")]
    at = blanks[round(depth * (len(blanks) - 1))]
    fields = {name: value for name, value in document.fields.items() if name != "probes"}
    return replace(document, fields={**fields, PROMPT: f"{text[:at]} {sentence} {text[at:]}".strip()})


def _field(task: Task) -> str:
    return PROMPT if task.shape is None else task.shape.text
