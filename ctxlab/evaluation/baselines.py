"""Scores of answers without a model beside those of the model: same metric, same whole documents."""

from collections.abc import Sequence
from dataclasses import replace

from ctxlab.core.task import Task
from ctxlab.core.types import Document, Scores, Table
from ctxlab.evaluation.evaluator import metric

OVERALL = "overall"
"""Table that the baselines are added to."""

OF_MODEL = "the model"
"""First cell of the model's row there."""


def with_baselines(scores: Scores, task: Task, documents: Sequence[Document], training: Sequence[Document]) -> Scores:
    """Return the scores with a row in the table ``overall`` for each of the task's baselines.

    Args:
        scores: Scores of the model; without a table ``overall``, which has a single row, nothing is added.
        task: Has the baselines.
        documents: The scored documents.
        training: The training documents; without any nothing is added.
    """
    has_place = any(table.name == OVERALL for table in scores.tables)  # a metric need not have tables
    answers = task.baselines(training, documents) if has_place and training and documents else {}
    if not answers:
        return scores
    rows = [(name, *_row(metric(task.metric)(documents, found))) for name, found in answers.items()]
    tables = [_added(table, rows) if table.name == OVERALL else table for table in scores.tables]
    return replace(scores, tables=tables)


def _row(scores: Scores) -> Sequence[object]:
    """Return the figures in the row of the table ``overall``."""
    overall = next(table for table in scores.tables if table.name == OVERALL)
    return overall.rows[0][1:]


def _added(table: Table, rows: Sequence[Sequence[object]]) -> Table:
    first = table.rows[0]
    return replace(table, rows=[(OF_MODEL, *first[1:]), *rows])
