"""``ctxlab predict run=… input=docs.jsonl output=tags.jsonl``: predictions for whole documents of any length.

Without ``run`` the model predicts without training, for tasks whose head comes with the weights (such as ``shots=0``).
"""

import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ctxlab.config.keys.working import PredictOptions
from ctxlab.core.errors import UserError
from ctxlab.core.paths import check_output
from ctxlab.core.privacy import Privacy
from ctxlab.core.task import Task
from ctxlab.core.types import Document
from ctxlab.data.parsing import documents_of, split_documents
from ctxlab.data.readers.read import read_file
from ctxlab.data.splits import Splits
from ctxlab.privacy.replacing.records import protected
from ctxlab.runtime.ranks import current
from ctxlab.text import known
from ctxlab.tracking.console import ProgressDisplay, console, say
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.graphs import graphml, jsonld
from ctxlab.workbench.graphs.triples import Graph, graph_of
from ctxlab.workbench.opening import open_bench
from ctxlab.workbench.parts import Parts

_DOCUMENTS_AT_ONCE = 64

LINES = "lines"
"""Value of ``format`` for a line per document."""

GRAPHS: Mapping[str, Callable[[Graph], str]] = {"jsonld": jsonld.written, "graphml": graphml.written}
"""Its other values → what writes a graph."""


def run(parts: Parts) -> None:
    """Write one line per document; of several processes the first one writes."""
    with current().together():
        _run(parts)


def _run(parts: Parts) -> None:
    options: PredictOptions = parts.options
    output = _checked_output(options) if current().leads else None
    opened = open_bench(
        parts,
        lambda task: _documents(options, task, parts.privacy),
        refuse=lambda task: _check_format(options.format, task),
    )
    documents, task = opened.documents.test, opened.bench.task
    lines = _lines(opened.bench, documents)
    if output is None:
        deque(lines, maxlen=0)
        return
    _write(output, lines if options.format == LINES else _graph(lines, options.format))
    screen = console()
    for note in task.notes:
        say(screen, f"note: {note}")
    say(screen, f"{len(documents):,} documents → {output}")


def _check_format(name: str, task: Task) -> None:
    if name != LINES and not task.relates:
        raise UserError(
            f"format={name} writes relations between entities, and task={task.name} predicts none: use format={LINES}, "
            "or a run of task=relation."
        )


def _graph(lines: Iterator[str], name: str) -> Iterator[str]:
    """Yield the relations of all documents as one graph."""
    yield GRAPHS[name](graph_of(map(json.loads, lines)))


def _write(output: Path, lines: Iterator[str]) -> None:
    """Write lines to a file that appears only when it is complete."""
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.writelines(lines)
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)


def _checked_output(options: PredictOptions) -> Path:
    if not options.input or not options.output:
        raise UserError("predict needs input=<file of documents> and output=<file to write>.")
    return check_output(options.output, overwrite=options.overwrite)


def _documents(options: PredictOptions, task: Task, privacy: Privacy) -> Splits:
    notes: list[str] = []
    records = protected(read_file(Path(options.input), task.name, notes), privacy)
    whole = documents_of(task, records, gold=False)
    return Splits(train=[], validation=[], test=split_documents(task, whole), notes=notes)


def _lines(bench: Workbench, documents: Sequence[Document]) -> Iterator[str]:
    finished, answerer, read = 0, bench.answerer(), known.NONE
    with ProgressDisplay("predict") as display:
        for group in [documents] if bench.task.gathers else _groups(documents):
            for answer in answerer.answers(group):
                finished += 1
                read += answer.coverage.known
                display.update(finished / len(documents), f"{finished:,} documents")
                yield json.dumps(answer.record, ensure_ascii=False) + "\n"
    bench.task.notes.extend(known.notes(read, "the documents"))


def _groups(documents: Sequence[Document]) -> Iterator[Sequence[Document]]:
    for start in range(0, len(documents), _DOCUMENTS_AT_ONCE):
        yield documents[start : start + _DOCUMENTS_AT_ONCE]
