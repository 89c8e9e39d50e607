"""ctxlab from Python: a trained run in a notebook, in three lines.

::

    run = ctxlab.load("outputs/train/ner-longformer-4096/2026-01-31_12-00-00-k3x9ab")
    run.predict(["Ada Lovelace lived in London."])
    run.evaluate("dev.jsonl", context=8192).metrics["test"]["f1"]
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ctxlab.command.compose import compose
from ctxlab.core.task import Task
from ctxlab.data.splits import Splits, parts_of
from ctxlab.evaluation.evaluator import predict
from ctxlab.workbench.opening import open_bench
from ctxlab.workbench.parts import make_parts


class LoadedRun:
    """A run whose model is in memory; answers are those of ``ctxlab predict`` and ``ctxlab eval``."""

    def __init__(self, folder: Path, overrides: Sequence[str], checkpoint: str) -> None:
        """Load the checkpoint of the run in ``folder`` under ``overrides``."""
        self._words = [f"run={_quoted(folder)}", f"checkpoint={checkpoint}", "tracking=none", *overrides]
        parts = make_parts(compose("eval", self._words), folder)
        self._bench = open_bench(parts, lambda _: Splits(train=[], validation=[], test=[])).bench

    @property
    def task(self) -> Task:
        """What the run answers."""
        return self._bench.task

    @property
    def model(self) -> Any:
        """The Transformers model, its strategy installed."""
        return self._bench.model

    def predict(self, documents: Iterable[str | Mapping[str, Any]]) -> list[dict[str, Any]]:
        """One answer for each document, of any length, as ``ctxlab predict`` writes them.

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
        read = parts_of(task, whole)
        answers = predict(self._bench.reader(), task, read, self._bench.encode(read))
        return [task.record(document, answer) for document, (answer, _) in zip(read, answers, strict=True)]


def load_run(folder: Path, overrides: Sequence[str], checkpoint: str) -> LoadedRun:
    """See ``ctxlab.load``."""
    return LoadedRun(folder, overrides, checkpoint)


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "\\'") + "'"
