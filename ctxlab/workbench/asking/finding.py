"""How passages are found for a question: by BM25, or by the embeddings of a run of ``task=retrieval``."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import Document, DoubleArray, Prediction
from ctxlab.data.splits import Splits
from ctxlab.evaluation.evaluator import predict
from ctxlab.tasks.forms.vectors import ranked
from ctxlab.tasks.retrieval import DOCUMENT, QUERY
from ctxlab.text.index import Bm25Index
from ctxlab.tracking.console import ProgressDisplay
from ctxlab.workbench.asking.library import Library
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.opening import open_bench
from ctxlab.workbench.other_run import parts_of
from ctxlab.workbench.parts import Parts

BM25 = "bm25"

AT_ONCE = 256
"""Passages between two lines of progress."""


class Retriever(ABC):
    """Scores all passages of a library for questions."""

    @abstractmethod
    def scores(self, questions: Sequence[str]) -> DoubleArray:
        """Return (questions, passages), higher for better ones."""


class Lexical(Retriever):
    """Okapi BM25 over the words of passages."""

    def __init__(self, library: Library, language: str) -> None:
        """Count the words of the passages."""
        self._index = Bm25Index([library.text(one) for one in library.passages], language)

    def scores(self, questions: Sequence[str]) -> DoubleArray:
        """Return (questions, passages)."""
        return np.stack([self._index.scores(question) for question in questions])


class Dense(Retriever):
    """Cosines of embeddings by a run of ``task=retrieval``, under its own strategy; a passage is a document there."""

    def __init__(self, bench: Workbench, library: Library) -> None:
        """Encode the passages."""
        self._bench, found = bench, list[Prediction]()
        count = len(library.passages)
        with ProgressDisplay("read passages") as display:
            for start in range(0, count, AT_ONCE):
                some = library.passages[start : start + AT_ONCE]
                found += self._read([library.text(one) for one in some], DOCUMENT)
                display.update(len(found) / count, f"{len(found):,} passages")
        self._passages = [one.answer for one in found]

    def scores(self, questions: Sequence[str]) -> DoubleArray:
        """Return (questions, passages)."""
        asked = [one.answer for one in self._read(questions, QUERY)]
        return ranked(asked, self._passages).astype(np.float64)

    def _read(self, texts: Sequence[str], role: str) -> list[Prediction]:
        bench = self._bench
        documents = [
            Document(str(place), {"role": role, "text": text}, f"{role} {place + 1}")
            for place, text in enumerate(texts)
        ]
        encoded = bench.task.encode(documents, bench.tokenizer)  # not cached: questions come one by one
        return [answer for answer, _ in predict(bench.reader(), bench.task, documents, encoded)]


def open_retriever(named: str, parts: Parts) -> Workbench | None:
    """Open the run of a retriever; None for BM25.

    Raises:
        UserError: It is not a run of ``task=retrieval``.
    """
    if named == BM25:
        return None
    own = parts_of("retriever", named, parts)
    if own.task.name != "retrieval":
        raise UserError(
            f"retriever={named} is a run of task={own.task.name}: give one of task=retrieval, or retriever={BM25}."
        )
    return open_bench(own, lambda _: Splits(train=[], validation=[], test=[])).bench


def make_retriever(bench: Workbench | None, library: Library, language: str) -> Retriever:
    """Return the retriever over the passages of a library.

    Args:
        bench: Opened run of ``task=retrieval``; None for BM25.
        library: The passages.
        language: Language of the reader's run, empty where the script decides.
    """
    return Lexical(library, language) if bench is None else Dense(bench, library)
