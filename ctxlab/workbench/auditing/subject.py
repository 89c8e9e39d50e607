"""An opened run as the checks of an audit see it."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ctxlab.core import run_state
from ctxlab.core.audit import Answers, Recorded, Rules, Subject, record_of
from ctxlab.core.errors import UserError
from ctxlab.core.result import Result
from ctxlab.core.types import Document
from ctxlab.evaluation import scores
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.finish import score_split

SPLITS = ("test", "validation")
"""Splits of a run whose scores are taken as in-domain, the first that it has."""


class Audited(Subject):
    """A run whose answers come from its model, by the same passes as those of ``eval`` and ``predict``."""

    def __init__(
        self,
        bench: Workbench,
        documents: Sequence[Document],
        rules: Rules,
        records: Callable[[], Mapping[str, Mapping[str, Any]]],
        run: Path | None,
    ) -> None:
        """Store what the checks need.

        Args:
            bench: The opened run.
            documents: The documents of the audit.
            rules: When a check finds something.
            records: Returns the records of the documents by id, as their source has them.
            run: Directory of the run; None for a model without training.
        """
        self.task, self.documents, self.rules = bench.task, documents, rules
        self.figure, self.lower_is_better = bench.task.primary_metric, bench.task.lower_is_better
        self._bench, self._run = bench, run
        self._records, self._own = cache(records), cache(self._answer_own)

    def answers(self, what: str, documents: Sequence[Document]) -> Answers:
        """See ``Subject``."""
        split = score_split(self._bench, what, documents)
        return Answers(documents, split.evaluation.predictions, split.evaluation.scores.records)

    def own(self) -> Answers:
        """See ``Subject``."""
        return self._own()

    def _answer_own(self) -> Answers:
        return self.answers("the documents as they are", self.documents)

    def record(self, document: Document) -> Mapping[str, Any]:
        """See ``Subject``."""
        return self._records().get(record_of(document), {})

    def recorded(self, run: str | None) -> Recorded | None:
        """See ``Subject``."""
        folder = self._run if run is None else Path(run).expanduser()
        if folder is None:
            return None
        found = run_state.outcome(folder)
        if isinstance(found, str):
            raise UserError(
                f"The in-domain scores of {folder} cannot be read ({found.rstrip('.')}): give a finished run, as "
                "audit.domain.reference=<directory>."
            )
        if found.task != self.task.name:
            raise UserError(
                f"audit.domain.reference={folder} is a run of task {found.task}, not {self.task.name}: give one of the "
                "same task."
            )
        return _recorded(folder, found)


def _recorded(folder: Path, found: Result) -> Recorded | None:
    for split in SPLITS:
        path = folder / scores.FOLDER / f"{split}.jsonl"
        if split in found.metrics and path.is_file():
            return Recorded(str(folder), split, scores.read(path))
    return None
