"""One command of ``ctxlab label``: the pool of documents, what the run makes of them, and what becomes of that."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctxlab.config.build import build
from ctxlab.config.keys.working import LabelOptions
from ctxlab.core.data import Record
from ctxlab.core.labelling import Guess, LabelForm, Labelled, Labelling, Pool
from ctxlab.core.paths import check_output
from ctxlab.core.task import Task
from ctxlab.core.types import Document
from ctxlab.data.parsing import documents_of, split_documents
from ctxlab.data.readers.read import read_file
from ctxlab.data.splits import Splits
from ctxlab.tracking.console import ProgressDisplay
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.opening import open_bench
from ctxlab.workbench.parts import Parts

_DOCUMENTS_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Session:
    """A finished labelling, to be written."""

    parts: Parts
    output: Path
    labelled: Labelled
    notes: Sequence[str]
    """Of the data and the task."""


def label(parts: Parts) -> Session:
    """Open the run and label the documents of ``input``.

    Raises:
        UserError: The task has no labels to suggest, a file is not valid, or there is nothing to write.
    """
    options: LabelOptions = parts.options
    labelling = build(options.label, Labelling)
    output = check_output(options.output, overwrite=options.overwrite)
    records: list[Record] = []
    opened = open_bench(parts, lambda task: _documents(options, task, records), refuse=_refuse)
    bench, documents = opened.bench, opened.documents.test
    form = bench.task.label_form()
    pool = Pool(
        form,
        records,
        documents,
        guesses=lambda: _guesses(bench, form, records, documents),
        gold=_gold(bench.task, form, records),
    )
    labelled = labelling.label(pool)
    return Session(parts, output, labelled, list(dict.fromkeys(bench.task.notes)))


def _refuse(task: Task) -> None:
    task.label_form()


def _documents(options: LabelOptions, task: Task, records: list[Record]) -> Splits:
    """Load the documents without gold, and collect their records, of which each is one document of such tasks."""
    notes: list[str] = []
    records.extend(task.admit(read_file(Path(options.input), task.name, notes), gold=False))
    return Splits(
        train=[], validation=[], test=split_documents(task, documents_of(task, records, gold=False)), notes=notes
    )


def _gold(task: Task, form: LabelForm, records: Sequence[Record]) -> dict[str, Document]:
    """Return the documents with gold by id, where all records have some."""
    if not all(form.has_gold(record) for record in records):
        return {}
    apart = copy.deepcopy(task)  # it notes the same again
    return {document.id: document for document in documents_of(apart, records, gold=True)}


def _guesses(
    bench: Workbench, form: LabelForm, records: Sequence[Record], documents: Sequence[Document]
) -> Iterator[Guess]:
    """Run the model over the documents, some at a time."""
    reader, task, finished = bench.reader(), bench.task, 0
    with ProgressDisplay("label") as display:
        for start in range(0, len(documents), _DOCUMENTS_AT_ONCE):
            group = documents[start : start + _DOCUMENTS_AT_ONCE]
            encoded = bench.encode(group)
            rows = zip(records[start:], group, encoded, reader.read(encoded), strict=False)
            for record, document, tokens, merged in rows:
                answer, opinion = task.decode(document, tokens, merged), task.opinion(document, tokens, merged)
                finished += 1
                display.update(finished / len(documents), f"{finished:,} documents")
                yield form.guess(record, document, answer, opinion)
