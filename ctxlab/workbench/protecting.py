"""The names that a run of ``task=ner`` finds in texts, for ``privacy=model``."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.privacy import Find
from ctxlab.core.types import Document
from ctxlab.data.encode import encode_now
from ctxlab.data.splits import Splits
from ctxlab.evaluation.answerer import Answer, Answerer
from ctxlab.privacy.none import NoPrivacy
from ctxlab.runtime.pieces import divide, run, together
from ctxlab.tasks.text.words import words_of
from ctxlab.text.units import squeezed
from ctxlab.workbench.other_run import parts_of
from ctxlab.workbench.parts import Parts

KEY = "privacy.run"

FINDS = "ner"
"""Task whose runs find names."""


def give_names(parts: Parts, open_bench: Callable[..., Any]) -> None:
    """Give the privacy of a run the model that finds names, if it asks for one.

    Args:
        parts: The run whose documents are protected.
        open_bench: Opens the other run, ``workbench.opening.open_bench``.

    Raises:
        UserError: There is no such run, or it does not find names.
    """
    named = parts.privacy.run
    if named is None:
        return
    other = parts_of(KEY, named, replace(parts, privacy=NoPrivacy()))
    if other.task.name != FINDS:
        raise UserError(f"{KEY}={named} was trained for task={other.task.name}: give a run of task={FINDS}.")
    bench = open_bench(other, lambda _: Splits(train=[], validation=[], test=[])).bench
    # Without the cache of tokens, which would keep the texts as they are on the disk.
    answerer = replace(bench.answerer(), encode=lambda found: encode_now(bench.task, found, bench.tokenizer)[0])
    lock = threading.Lock()  # the server protects documents in several threads
    parts.privacy.take_names(lambda texts: _names(answerer, texts, lock))


def _names(answerer: Answerer, texts: Sequence[str], lock: threading.Lock) -> list[list[Find]]:
    """Return the entities of each text; one without words has none.

    Args:
        answerer: Finds them.
        texts: All texts of a record.
        lock: Held during each forward pass, so that a long record delays another by one.
    """
    documents = []
    for index, text in enumerate(texts):
        words, offsets = words_of(text)
        if words:
            fields = {"tokens": words, "offsets": offsets, "text": text}
            documents.append(Document(str(index), fields, "the document"))
    found: list[list[Find]] = [[] for _ in texts]
    for answer in _answers(answerer, documents, lock):
        found[int(answer.record["id"])] = [
            Find(one["start_char"], one["end_char"], one["type"], squeezed(one["text"].casefold()))
            for one in answer.record["entities"]
        ]
    return found


def _answers(answerer: Answerer, documents: Sequence[Document], lock: threading.Lock) -> Iterator[Answer]:
    """Yield the answer for each document; the lock is free between forward passes."""
    with lock:
        encoded = answerer.encode(documents)
        pieces = [divide(answerer.reader, tokens) for tokens in encoded]
    while unread := [one for one in pieces if one.passes]:
        with lock:
            run(answerer.reader, together(answerer.reader, unread[0], unread[1:]))
    for document, one in zip(documents, pieces, strict=True):
        with lock:
            answer = answerer.answer(document, one.encoded, one.merged(answerer.reader))
            answerer.task.notes.clear()  # they are about files
        yield answer
