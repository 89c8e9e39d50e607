"""What is counted of an answer: numbers and the task's own labels, never a part of a document."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.task import Task
from ctxlab.core.types import Document, Encoded, Merged
from ctxlab.evaluation.answerer import Answer


@dataclass(slots=True)
class Observed:
    """Counts over the documents of a record."""

    labels: Counter[str] = field(default_factory=Counter)
    """How often each label is the most probable one."""
    confidence: list[float] = field(default_factory=list)
    """Mean probability of these labels in each document."""


def observe(task: Task, document: Document, encoded: Encoded, merged: Merged) -> Observed:
    """Return what the task thinks of a document; nothing if its answers are no labels.

    Args:
        task: The task.
        document: The document.
        encoded: Its tokens.
        merged: The outputs of its windows.
    """
    try:
        opinion = task.opinion(document, encoded, merged)
    except UserError:
        return Observed()
    if opinion.tokens is not None:  # units of a language model: the text itself
        return Observed()
    probabilities = np.asarray(opinion.probabilities)[np.asarray(opinion.seen)]
    if not probabilities.size:
        return Observed()
    counts = np.bincount(probabilities.argmax(axis=1), minlength=len(opinion.names)).tolist()
    named = {name: count for name, count in zip(opinion.names, counts, strict=True) if count and name in task.labels}
    return Observed(Counter(named), [round(float(probabilities.max(axis=1).mean()), 6)])


def figures(answers: Sequence[Answer], seen: Sequence[Observed]) -> dict[str, Any]:
    """Return the figures of a request, as a worker sends them to the server."""
    labels: Counter[str] = Counter()
    for one in seen:
        labels.update(one.labels)
    return {
        "documents": [_sizes(answer) for answer in answers],
        "labels": labels,
        "confidence": [value for one in seen for value in one.confidence],
    }


def _sizes(answer: Answer) -> list[int]:
    """Return tokens, tokens read, windows, characters and unknown characters."""
    found = answer.coverage
    return [found.tokens, found.tokens_read, found.windows, found.characters, found.characters_unknown]
