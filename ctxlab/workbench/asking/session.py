"""One command of ``ctxlab ask``: a library, a retriever, a reader, and the answers to questions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctxlab.config.keys.working import AskOptions
from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.task import Task
from ctxlab.core.types import DoubleArray
from ctxlab.data.splits import Splits
from ctxlab.evaluation.answerer import Answer
from ctxlab.workbench.asking.finding import Retriever, make_retriever, open_retriever
from ctxlab.workbench.asking.library import Library, Passage, merged, open_library, sentence_at, visible
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.opening import open_bench
from ctxlab.workbench.parts import Parts

AT_ONCE = 16
"""Questions whose passages share forward passes."""

QUESTION_SHARE = 0.5
"""Largest fraction of a window that a question may take."""


@dataclass(frozen=True, slots=True)
class Told:
    """The answer to one question, or that there is none."""

    id: str
    question: str
    answer: str
    """Empty where the reader found none."""
    score: float | None
    """Of the reader: of a span that of the best one minus that of "no answer", of a text its mean log probability."""
    share_read: float
    """Fraction of the characters of all documents that the reader read for it."""
    read: Sequence[dict[str, Any]]
    """What it read, ``document, start, end, score``, the best passage first."""
    document: str | None = None
    start: int | None = None
    """First character of the answer in the document; None where it is not written there word for word."""
    end: int | None = None
    support: str = ""
    """The sentence that the answer is in, or the best passage."""
    support_start: int | None = None

    @property
    def is_found(self) -> bool:
        """Return whether there is an answer."""
        return bool(self.answer)

    def line(self) -> dict[str, Any]:
        """Return what is written as a line of JSON."""
        place = {"document": self.document, "start": self.start, "end": self.end} if self.is_found else {}
        support = {"text": self.support, "start": self.support_start} if self.is_found else None
        return {
            "id": self.id,
            "question": self.question,
            "found": self.is_found,
            "answer": self.answer,
            **place,
            "support": support,
            "score": self.score,
            "share_read": round(self.share_read, 6),
            "read": list(self.read),
        }


@dataclass(frozen=True, eq=False)
class Session:
    """An opened library, ready for questions."""

    bench: Workbench
    library: Library
    retriever: Retriever
    passages: int
    """Most passages that are read for a question."""

    def answers(self, questions: Sequence[tuple[str, str]]) -> Iterator[Told]:
        """Yield the answer to each of ``questions`` (id and text), in order.

        Raises:
            UserError: A question is too long for the reader's window.
        """
        for start in range(0, len(questions), AT_ONCE):
            yield from self._some(questions[start : start + AT_ONCE])

    def check(self, questions: Sequence[tuple[str, str]]) -> None:
        """Refuse a question that leaves too little room in a window.

        Raises:
            UserError: Names the question.
        """
        tokenizer, window = self.bench.tokenizer, self.bench.strategy.reading.longest(self.bench.length)
        for name, question in questions:
            size = len(tokenizer(question, add_special_tokens=False, verbose=False)["input_ids"])
            if size > QUESTION_SHARE * window:
                raise UserError(
                    f"The question '{name}' has {size:,} tokens, more than half of a window of {window:,} in which it "
                    "precedes the text: ask a shorter one."
                )

    def _some(self, questions: Sequence[tuple[str, str]]) -> Iterator[Told]:
        self.check(questions)
        scores = self.retriever.scores([question for _, question in questions])
        chosen = [self._best(row) for row in scores]
        records = [
            Record({"id": name, "question": question, "contexts": [self.library.text(one) for one in some]}, name)
            for (name, question), some in zip(questions, chosen, strict=True)
        ]
        answerer = self.bench.answerer()
        found = answerer.answers(answerer.documents(records))
        whole = max(self.library.num_characters, 1)
        for (name, question), row, some, answer in zip(questions, scores, chosen, found, strict=True):
            yield self._told(name, question, row, some=some, answer=answer, whole=whole)

    def _best(self, row: DoubleArray) -> list[Passage]:
        """Return the passages to read for scores (passages,), neighbours joined."""
        order = np.argsort(-row, kind="stable")[: self.passages]
        return merged([self.library.passages[place] for place in order])

    def _told(
        self, name: str, question: str, row: DoubleArray, *, some: Sequence[Passage], answer: Answer, whole: int
    ) -> Told:
        record = answer.record
        shared: dict[str, Any] = {
            "id": name,
            "question": question,
            "score": record["score"],
            "share_read": self._share(some, answer, whole),
            "read": [self._span(one, row) for one in some],
        }
        if not record["answer"]:
            return Told(answer="", **shared)
        place, start, end = _located(record, [self.library.text(one) for one in some])
        passage = some[place]
        manual = self.library.manuals[passage.manual]
        if start is None or end is None:
            return Told(
                answer=record["answer"],
                document=manual.id,
                support=self.library.text(passage).strip(),
                support_start=passage.start,
                **shared,
            )
        start, end = passage.start + start, passage.start + end
        first, last = sentence_at(manual.text, start, end, passage)
        return Told(
            answer=record["answer"],
            document=manual.id,
            start=start,
            end=end,
            support=manual.text[first:last],
            support_start=first,
            **shared,
        )

    def _share(self, some: Sequence[Passage], answer: Answer, whole: int) -> float:
        """Return the fraction of all ``whole`` characters that was read: passages, less what the strategy left out."""
        given = sum(visible(self.library.text(one)) for one in some)
        return given / whole * answer.coverage.tokens_read / max(answer.coverage.tokens, 1)

    def _span(self, passage: Passage, row: DoubleArray) -> dict[str, Any]:
        inside = [
            float(row[place])
            for place, one in enumerate(self.library.passages)
            if one.manual == passage.manual and passage.start <= one.start < passage.end
        ]
        manual = self.library.manuals[passage.manual].id
        return {"document": manual, "start": passage.start, "end": passage.end, "score": round(max(inside), 4)}


def open_session(parts: Parts) -> Session:
    """Open the reader, the library and the retriever.

    Raises:
        UserError: The run is of another task, there is no document, or the retriever does not fit.
    """
    options: AskOptions = parts.options
    if parts.trainer.processes > 1:
        raise UserError(f"trainer.processes={parts.trainer.processes}: ctxlab ask uses one process; leave it out.")
    for name in ("passages", "passage_words"):
        if getattr(options, name) < 1:
            raise UserError(f"{name}={getattr(options, name)} is too small: give at least 1.")
    _refuse(parts.task)
    library = open_library(options.input, options.passage_words)
    finder = open_retriever(options.retriever, parts)
    bench = open_bench(parts, lambda _: Splits(train=[], validation=[], test=[]), refuse=_refuse).bench
    return Session(bench, library, make_retriever(finder, library, bench.task.language), options.passages)


def _refuse(task: Task) -> None:
    if task.name != "qa":
        raise UserError(
            f"ctxlab ask reads with a run of task=qa, and this one is of task={task.name}: train one with "
            "ctxlab train task=qa, or use task=qa model=smollm2 without run=."
        )


def _located(record: dict[str, Any], texts: Sequence[str]) -> tuple[int, int | None, int | None]:
    """Return the text that an answer is in, and its first and last character (not included) there.

    A generated answer is looked for, in the order of the texts; without a place the best text stands for it.
    """
    if record.get("start") is not None:
        return int(record.get("context") or 0), int(record["start"]), int(record["end"])
    for place, text in enumerate(texts):
        at = text.casefold().find(record["answer"].casefold())
        if at >= 0 and len(text) == len(text.casefold()):
            return place, at, at + len(record["answer"])
    return 0, None, None
