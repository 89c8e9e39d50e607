"""The Python API: load a trained run, predict and evaluate in three lines.

::

    run = ctxlab.load("outputs/train/ner-longformer-4096/2026-01-31_12-00-00-k3x9ab")
    run.predict(["Ada Lovelace lived in London."])
    run.evaluate("dev.jsonl", context=8192).metrics["test"]["f1"]
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctxlab.command.compose import compose
from ctxlab.command.overrides import quoted
from ctxlab.core.errors import UserError
from ctxlab.core.result import FILE, Result, Verification, read_outcome
from ctxlab.core.task import Task
from ctxlab.data.splits import Splits, split_documents
from ctxlab.evaluation.evaluator import predict
from ctxlab.stages import eval as evaluation
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
        """The task of the run."""
        return self._bench.task

    @property
    def model(self) -> Any:
        """The Transformers model, with its strategy installed."""
        return self._bench.model

    def predict(self, documents: Iterable[str | Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return one prediction per document of any length, as ``ctxlab predict`` writes them.

        Args:
            documents: Plain texts, or records as the task reads them; labels are not needed.

        Raises:
            UserError: A record lacks a field that the task reads.
        """
        task = self.task
        records = [{"text": given} if isinstance(given, str) else given for given in documents]
        whole = [
            task.parse({"id": f"document-{index}", **record}, f"document {index}", gold=False)
            for index, record in enumerate(records)
        ]
        read = split_documents(task, whole)
        answers = predict(self._bench.reader(), task, read, self._bench.encode(read))
        return [task.record(document, answer) for document, (answer, _) in zip(read, answers, strict=True)]

    def evaluate(self, file: str | Path, context: int | None = None) -> Result:
        """Score the documents of ``file``, as ``ctxlab eval`` does; nothing is written.

        Args:
            file: Documents with gold labels, in any format that ``data.test_file`` accepts.
            context: Context length in tokens; None for the run's own.

        Raises:
            UserError: The file cannot be read, or the context does not fit the run.
        """
        words = [*self._words, f"data.test_file={quoted(str(file))}", "split=test"]
        words += [] if context is None else [f"context={context}"]
        parts = make_parts(compose("eval", words), self._folder)
        opened = open_bench(parts, lambda task: evaluation.documents_with(parts, task, "test"), scored=("test",))
        return evaluation.score(parts, opened, "test")[1]


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
