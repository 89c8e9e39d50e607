"""Passages of the user's corpus before the text.

Shape legend: L tokens of a document, S passages, T different terms, P pairs of a passage and a term in it.
"""

import hashlib
import json
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.knowledge import Knowledge
from ctxlab.core.task import Task
from ctxlab.core.types import DoubleArray, Encoded, IntArray
from ctxlab.knowledge.passages.corpus import read_passages
from ctxlab.text.bm25 import bm25


class Retrieved(Knowledge):
    """Puts the passages of a corpus that are nearest to a document before each of its windows.

    The query is the question about the document, or all its terms where there is none, each of which counts once; the
    order is that of Okapi BM25 over tokens, as in ``strategy/reading=select``, the best passage first. Retrieval once
    per input as in RAG (Lewis et al. 2020, arXiv:2005.11401); deviations: the retriever is not trained, passages stand
    together before the text, and every window of a document has the same. A passage that is the document itself is
    left out. Passages are no tokens of the document: they take room in its windows, and coverage does not count them.
    """

    def __init__(self, file: str | None = None, passages: int = 2, passage_tokens: int = 64) -> None:
        """Read the corpus.

        Args:
            file: JSON lines with a ``text`` each (and a ``title``), or a text file with a passage a line.
            passages: Passages before a window.
            passage_tokens: Tokens of a passage that are put there, from its beginning.

        Raises:
            UserError: There is no file, it is not such a corpus, or it has too few passages.
        """
        if file is None:
            raise UserError(
                "knowledge=retrieved needs knowledge.file=<JSON lines with a text each, or a text file with a passage "
                "a line>."
            )
        for name, value in (("passages", passages), ("passage_tokens", passage_tokens)):
            if value < 1:
                raise UserError(f"knowledge.{name}={value} must be at least 1.")
        texts = read_passages(file)
        if len(texts) < passages:
            raise UserError(
                f"knowledge.file={file} has {len(texts)} passages, fewer than knowledge.passages={passages}: use "
                f"knowledge.passages={len(texts)}, or a larger corpus."
            )
        self.file, self.beside = file, Passages(texts, passages, passage_tokens)

    def teach(self, task: Task) -> None:
        """Put passages before the windows of ``task``.

        Raises:
            UserError: They would give away what the task predicts.
        """
        if not task.takes_beside:
            raise UserError(
                f"knowledge=retrieved puts passages that are like a text before it, which would give away what "
                f"task={task.name} predicts of it: use another task, or knowledge=none."
            )
        task.beside = self.beside


class Passages:
    """Finds the passages nearest to a document; an object, because tasks are sent to processes that tokenise."""

    def __init__(self, texts: list[str], count: int, size: int) -> None:
        """Take the passages, how many a document gets, and the tokens of each."""
        self._texts, self._count, self._size = texts, count, size
        self._index: Index | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the index, which each process builds for its tokenizer."""
        return {**self.__dict__, "_index": None}

    @cached_property
    def key(self) -> str:
        """Return a digest of the passages and the options."""
        return hashlib.sha256(json.dumps([self._texts, self._count, self._size]).encode()).hexdigest()

    def __call__(self, encoded: Encoded, tokenizer: Any) -> Encoded:
        """Return the document with its passages after the special tokens that every window begins with."""
        if self._index is None or self._index.tokenizer is not tokenizer:
            self._index = Index(self._texts, tokenizer)
        query = np.asarray(encoded.query or encoded.input_ids, np.int64)
        special, front = set(tokenizer.all_special_ids), 0
        while front < len(encoded.before) and encoded.before[front] in special:
            front += 1
        put: list[int] = []
        for place in self._index.nearest(query, self._count, but=encoded.input_ids):
            put += [*self._index.passages[place][: self._size].tolist(), *self._index.end]
        return replace(encoded, before=(*encoded.before[:front], *put, *encoded.before[front:]))


class Index:
    """The tokens of all passages, and how often each is in each."""

    def __init__(self, texts: list[str], tokenizer: Any) -> None:
        """Tokenise the passages."""
        self.tokenizer = tokenizer
        rows = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        self.passages: list[IntArray] = [np.asarray(row, np.int64) for row in rows]
        self.end: tuple[int, ...] = _end(tokenizer)
        self._sizes = np.asarray([len(row) for row in self.passages], np.int64)
        ids = np.concatenate(self.passages) if self._sizes.sum() else np.zeros(0, np.int64)
        self._terms, term = np.unique(ids, return_inverse=True)
        owner = np.repeat(np.arange(len(rows)), self._sizes)
        pairs, count = np.unique(owner * max(len(self._terms), 1) + term, return_counts=True)
        self._passage, self._term = np.divmod(pairs, max(len(self._terms), 1))
        self._times: DoubleArray = count.astype(np.float64)

    def nearest(self, query: IntArray, count: int, but: IntArray) -> list[int]:
        """Return the ``count`` passages with the highest scores, best first; of equal ones the first.

        Args:
            query: Terms that count once each; unknown tokens, which may be any word, do not.
            count: Passages that are returned.
            but: A passage with these tokens is left out.
        """
        wanted = query[query != self.tokenizer.unk_token_id] if self.tokenizer.unk_token_id is not None else query
        asked = np.isin(self._terms, wanted).astype(np.float64)
        scores = bm25(sentence=self._passage, term=self._term, count=self._times, sizes=self._sizes, query=asked)
        order = np.argsort(-scores, kind="stable").tolist()
        return [place for place in order if not np.array_equal(self.passages[place], but)][:count]


def _end(tokenizer: Any) -> tuple[int, ...]:
    """Return what ends a passage: the separator of the tokenizer, or else a line end."""
    if tokenizer.sep_token_id is not None:
        return (tokenizer.sep_token_id,)
    return tuple(tokenizer("\n", add_special_tokens=False, verbose=False)["input_ids"])
