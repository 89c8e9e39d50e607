"""The Python API: load a trained run, predict, explain and evaluate.

::

    run = ctxlab.load("outputs/train/ner-longformer-4096/2026-01-31_12-00-00-k3x9ab")
    run.predict(["Ada Lovelace lived in London."])
    run.explain(["Ada Lovelace lived in London."])
    run.evaluate("dev.jsonl", context=8192).metrics["test"]["f1"]
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctxlab.command.compose import compose
from ctxlab.config.build import build
from ctxlab.config.quoting import quoted
from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.explanation import Explanation
from ctxlab.core.result import FILE, Result, Verification, read_outcome
from ctxlab.core.task import Task
from ctxlab.core.types import Document
from ctxlab.data.parsing import documents_of, split_documents
from ctxlab.data.readers.read import recognised
from ctxlab.data.splits import Splits
from ctxlab.evaluation.answerer import Answer
from ctxlab.stages import eval as evaluation
from ctxlab.workbench.explaining.explainer import make_explainer
from ctxlab.workbench.explaining.lines import line
from ctxlab.workbench.opening import open_bench
from ctxlab.workbench.parts import make_parts

log = logging.getLogger(__name__)


class LoadedRun:
    """A run whose model is in memory; results equal those of ``ctxlab predict`` and ``ctxlab eval``."""

    def __init__(self, folder: Path, overrides: Sequence[str], checkpoint: str) -> None:
        """Load the checkpoint of the run in ``folder`` with ``overrides``."""
        self._folder = folder
        self._words = [f"run={quoted(str(folder))}", f"checkpoint={checkpoint}", "tracking=none", *overrides]
        parts = make_parts(compose("eval", self._words), folder)
        self._bench = open_bench(parts, lambda _: Splits(train=[], validation=[], test=[])).bench

    @property
    def task(self) -> Task:
        """Return the task of the run."""
        return self._bench.task

    @property
    def model(self) -> Any:
        """Return the Transformers model, with its strategy installed."""
        return self._bench.model

    def predict(self, documents: Iterable[str | Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return one prediction per document of any length, as ``ctxlab predict`` writes them.

        Args:
            documents: Plain texts, or records in any format that a file may have; labels are not needed.

        Raises:
            UserError: A record lacks a field that the task reads.
        """
        return [answer.record for answer in self.answers(documents)]

    def answers(self, documents: Iterable[str | Mapping[str, Any]]) -> list[Answer]:
        """Return for each document its prediction and what was read of it: ``record`` and ``coverage``.

        Args:
            documents: As ``predict`` takes them.

        Raises:
            UserError: A record lacks a field that the task reads.
        """
        return list(self._bench.answerer().answers(_documents(documents, self.task, gold=False)))

    def explain(
        self, documents: Iterable[str | Mapping[str, Any]], explanation: str = "integrated", **options: Any
    ) -> list[dict[str, Any]]:
        """Return for each document what its answer depends on, as ``ctxlab explain`` writes it.

        Args:
            documents: As ``predict`` takes them.
            explanation: The mechanism, an option of ``explanation=``.
            options: Its keys, such as ``steps=32``.

        Raises:
            UserError: The task has no answer that can be explained, or a document is too long for the mechanism.
        """
        words = [f"explanation={explanation}", *(f"explanation.{key}={value}" for key, value in options.items())]
        made = make_parts(compose("explain", [*self._words, *words]), self._folder).options
        explainer = make_explainer(self._bench, build(made.explanation, Explanation), made.targets)
        found = _documents(documents, self.task, gold=False)
        explainer.check(found)
        return [line(one) for one in explainer.explained(found)]

    def evaluate(self, documents: str | Path | Iterable[Mapping[str, Any]], context: int | None = None) -> Result:
        """Score documents as ``ctxlab eval`` does; nothing is written.

        Args:
            documents: A file with gold labels, in any format that ``data.test_file`` accepts, or its records.
            context: Context length in tokens; None for the run's own.

        Raises:
            UserError: The documents cannot be read, or the context does not fit the run.
        """
        is_file = isinstance(documents, str | Path)
        words = [*self._words, "split=test", *([f"data.test_file={quoted(str(documents))}"] if is_file else [])]
        words += [] if context is None else [f"context={context}"]
        parts = make_parts(compose("eval", words), self._folder)

        def load(task: Task) -> Splits:
            if is_file:
                return evaluation.documents_with(parts, task, "test")
            found = _documents(documents, task, gold=True)  # type: ignore[arg-type]
            if not found:
                raise UserError("There are no documents to score: give at least one record with gold labels.")
            return Splits(train=[], validation=[], test=found)

        return evaluation.score(parts, open_bench(parts, load, scored=("test",)), "test")[1]


def _documents(given: Iterable[str | Mapping[str, Any]], task: Task, *, gold: bool) -> list[Document]:
    """Return the documents of texts and records, as if they were lines of a file."""
    if isinstance(given, str | Mapping):
        raise UserError(
            f"{str(given)[:60]!r} is one document: give a list of documents, such as [{type(given).__name__}]."
        )
    records = [_record(one, f"document {index}") for index, one in enumerate(given)]
    notes: list[str] = []
    found = recognised(records, task.name, "document", notes)
    for note in notes:
        log.warning("%s", note)
    return split_documents(task, documents_of(task, found, gold=gold))


def _record(given: str | Mapping[str, Any], origin: str) -> Record:
    if isinstance(given, str):
        return Record({"text": given}, origin)
    if isinstance(given, Mapping):
        return Record(dict(given), origin)
    raise UserError(
        f"{origin[0].upper()}{origin[1:]} is of type {type(given).__name__}: give a text or a record (a dict)."
    )


@dataclass(frozen=True, slots=True)
class Recorded:
    """A finished run and its result."""

    folder: Path
    outcome: Result | Verification


def load_run(folder: Path, overrides: Sequence[str], checkpoint: str) -> LoadedRun:
    """See ``ctxlab.load``."""
    return LoadedRun(folder, overrides, checkpoint)


def find_results(folder: Path) -> list[Recorded]:
    """See ``ctxlab.results``."""
    found = []
    for path in sorted(folder.rglob(FILE)):
        try:
            found.append(Recorded(path.parent, read_outcome(path)))
        except UserError as error:
            log.warning("%s", error)
    return found
