"""One command of ``ctxlab explain``: the documents, their explanations, and what was checked of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ctxlab.config.build import build
from ctxlab.config.keys.trusting import ExplainOptions
from ctxlab.core.errors import UserError
from ctxlab.core.explanation import Explanation
from ctxlab.core.task import Task
from ctxlab.core.types import Document
from ctxlab.data.parsing import documents_of, split_documents
from ctxlab.data.readers.read import read_file
from ctxlab.data.splits import Splits, load_documents
from ctxlab.tracking.console import ProgressDisplay
from ctxlab.workbench.explaining.checks import Findings, check_all
from ctxlab.workbench.explaining.explainer import make_explainer, refuse
from ctxlab.workbench.explaining.lines import Explained
from ctxlab.workbench.opening import open_bench
from ctxlab.workbench.parts import Parts


@dataclass(frozen=True, eq=False)
class Session:
    """Finished explanations, to be written."""

    parts: Parts
    explained: Sequence[Explained]
    findings: Findings
    model: str
    """Folder of the weights, or the name of the model."""
    notes: Sequence[str]


def explain(parts: Parts) -> Session:
    """Open the run and explain its documents.

    Raises:
        UserError: The task has no answer that can be explained, or a document is too long for the mechanism.
    """
    options: ExplainOptions = parts.options
    explanation = build(options.explanation, Explanation)
    if parts.trainer.processes > 1:
        raise UserError(f"trainer.processes={parts.trainer.processes}: ctxlab explain uses one process; leave it out.")
    opened = open_bench(parts, lambda task: _documents(parts, task), refuse=refuse)
    bench, every = opened.bench, opened.documents.test
    documents = every[: options.documents]
    explainer = make_explainer(bench, explanation, options.targets)
    explainer.check(documents)
    found: list[Explained] = []
    with ProgressDisplay("explain") as display:
        for one in explainer.explained(documents):
            found.append(one)
            display.update(len(found) / len(documents), f"{len(found):,} documents")
    if not any(one.targets for one in found):
        where = "the document" if len(found) == 1 else f"the {len(found):,} documents"
        raise UserError(f"There is nothing to explain in {where}: {found[0].asked.nothing.rstrip('.')}.")
    with ProgressDisplay("check") as display:
        findings = check_all(
            found,
            explanation,
            bench.model,
            count=options.checks,
            seed=parts.seed,
            done=lambda share: display.update(share),
        )
    return Session(
        parts, found, findings, model=opened.origin, notes=_notes(found, bench.task, len(every) - len(documents))
    )


def _documents(parts: Parts, task: Task) -> Splits:
    """Load the documents of ``input``, or the test documents of the run.

    Raises:
        UserError: There is none.
    """
    options: ExplainOptions = parts.options
    if options.input is None:
        splits = load_documents(parts.data, task, parts.data_seed, parts.hold_out)
        if not splits.test:
            raise UserError("The data of the run have no test documents: give input=<file of documents>.")
        return splits
    notes: list[str] = []
    whole = documents_of(task, read_file(Path(options.input), task.name, notes), gold=False)
    return Splits(train=[], validation=[], test=_checked(split_documents(task, whole)), notes=notes)


def _checked(documents: list[Document]) -> list[Document]:
    if not documents:
        raise UserError("The input has no document to explain.")
    return documents


def _notes(found: Sequence[Explained], task: Task, left: int) -> list[str]:
    notes = list(dict.fromkeys(task.notes))
    if left:
        notes.append(f"{left:,} further documents were not explained: raise documents= for them.")
    parts_left = sum(one.left_out for one in found)
    if parts_left:
        notes.append(f"{parts_left:,} further parts of answers were not explained: raise targets= for them.")
    without = [one for one in found if not one.targets]
    if without:
        notes.append(
            f"{len(without):,} documents have nothing to explain ({without[0].id}: {without[0].asked.nothing})"
        )
    truncated = sum(one.answer.coverage.truncated for one in found)
    if truncated:
        notes.append(f"{truncated:,} documents were not read to the end; what was not read has no value.")
    return notes
