"""The entities that a run of ``task=ner`` finds in documents, for ``task=relation``."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.shape import LabelledSpan
from ctxlab.core.task import Task
from ctxlab.core.types import Document
from ctxlab.data.splits import Splits
from ctxlab.evaluation.answerer import Answerer
from ctxlab.privacy.none import NoPrivacy
from ctxlab.workbench.other_run import parts_of
from ctxlab.workbench.parts import Parts

KEY = "task.mentions"

FINDS = "ner"
"""Task whose runs find entities."""

DOCUMENTS_AT_ONCE = 64


def give_mentions(parts: Parts, task: Task, open_bench: Callable[..., Any], *, trains: bool) -> None:
    """Give a task the run that finds the entities of documents without any, if it asks for one.

    Args:
        parts: The run whose documents lack entities.
        task: Its task, which takes what finds them.
        open_bench: Opens the other run, ``workbench.opening.open_bench``.
        trains: Whether the task is to be trained, which needs given entities.

    Raises:
        UserError: There is no such run, it does not find entities, or the task is to be trained.
    """
    named = task.mentions_run
    if named is None:
        return
    if trains:
        raise UserError(
            f"{KEY}={named} is for ctxlab eval and ctxlab predict, and training needs the entities that relations are "
            "between: leave it out."
        )
    other = parts_of(KEY, named, replace(parts, privacy=NoPrivacy()))
    if other.task.name != FINDS:
        raise UserError(f"{KEY}={named} was trained for task={other.task.name}: give a run of task={FINDS}.")
    answerer = open_bench(other, lambda _: Splits(train=[], validation=[], test=[])).bench.answerer()
    lock = threading.Lock()  # a server reads documents in several threads
    task.take_mentions(lambda documents: _mentions(answerer, documents, lock))


def check_not_bundle(parts: Parts) -> None:
    """Refuse a run of ``task=ner`` beside the bundle of an export.

    Raises:
        UserError: The task asks for one.
    """
    if parts.task.mentions_run is not None:
        raise UserError(
            f"{KEY}={parts.task.mentions_run} works with the run that was exported, not with its bundle: give run=<run "
            "directory>, or records with entities."
        )


def _mentions(answerer: Answerer, documents: Sequence[Sequence[str]], lock: threading.Lock) -> list[list[LabelledSpan]]:
    """Return the entities of each document, given as its words."""
    found = []
    for start in range(0, len(documents), DOCUMENTS_AT_ONCE):
        group = [
            Document(str(place), {"tokens": list(words)}, "the document")
            for place, words in enumerate(documents[start : start + DOCUMENTS_AT_ONCE], start)
        ]
        with lock:
            answers = list(answerer.answers(group))
            answerer.task.notes.clear()  # they are about files
        found += [
            [LabelledSpan(one["start"], one["end"], one["type"]) for one in answer.record["entities"]]
            for answer in answers
        ]
    return found
