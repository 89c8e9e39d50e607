"""Output of every stage that scores: predictions, result.json, report.md, a table on the screen."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ctxlab.core.files import write_text
from ctxlab.core.result import Cost, Result, rows, write
from ctxlab.core.types import Document, Table
from ctxlab.evaluation import scores
from ctxlab.evaluation.baselines import with_baselines
from ctxlab.evaluation.evaluator import Evaluation, evaluate
from ctxlab.reporting.plots import draw
from ctxlab.reporting.report import summary_table, write_report
from ctxlab.reporting.tables import show
from ctxlab.text import known
from ctxlab.text.language import language_of
from ctxlab.tracking.console import ProgressDisplay, console, say
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.parts import Parts
from ctxlab.workbench.sanity import at_chance

NO_TEXTS = frozenset({"tags", "gold", "group", "language", "record"})
"""Fields of documents that are names and not text, so that they say nothing about the language."""

SAMPLE = 50
"""Number of documents, and of words of each, from which the language is detected."""

_VERSIONS = (
    "ctxlab",
    "torch",
    "transformers",
    "accelerate",
    "datasets",
    "evaluate",
    "hydra-core",
    "seqeval",
    "sacrebleu",
    "rouge-score",
)


@dataclass(frozen=True, eq=False)
class Split:
    """Documents of a split and their evaluation."""

    documents: Sequence[Document]
    evaluation: Evaluation


def score_split(bench: Workbench, name: str, documents: Sequence[Document]) -> Split:
    """Score a split with a progress display."""
    encoded = bench.encode(documents)
    total = sum(len(document) for document in encoded)
    read = 0
    with ProgressDisplay(f"evaluate {name}") as display:

        def done(tokens: int) -> None:
            nonlocal read
            read += tokens
            display.update(min(read / max(total, 1), 1.0), f"{read:,} tokens")

        return Split(documents, evaluate(bench.reader(), bench.task, documents=documents, encoded=encoded, done=done))


def with_references(bench: Workbench, split: Split, training: Sequence[Document]) -> Split:
    """Return the split with the scores of the task's baselines beside the model's, where there are training documents.

    Args:
        bench: Its task has the baselines.
        split: Documents and their evaluation.
        training: Training documents that are in memory.
    """
    scores = with_baselines(split.evaluation.scores, bench.task, split.documents, training)
    return replace(split, evaluation=replace(split.evaluation, scores=scores))


def make_result(
    parts: Parts,
    bench: Workbench,
    splits: Mapping[str, Split],
    *,
    cost: Cost,
    checkpoint: str,
    resumed_from: str | None,
) -> Result:
    """Build the content of ``result.json`` for a stage that scores.

    Args:
        parts: The run.
        bench: What was scored.
        splits: Evaluations by split.
        cost: Cost of the run.
        checkpoint: Folder of the weights, or the name of the model.
        resumed_from: Checkpoint that training was last resumed from, if any.
    """
    return Result(
        stage=parts.origin.stage,
        task=bench.task.name,
        model=parts.model.name,
        strategy=bench.strategy.name,
        context_length=bench.length,
        seed=parts.seed,
        language=language_of(bench.task.language, *(text for split in splits.values() for text in _sample(split))),
        cost=cost,
        command=parts.origin.command,
        resumed_from=resumed_from,
        git_sha=git_sha(),
        versions=versions(),
        notes=_notes(bench, splits),
        metrics={name: dict(split.evaluation.scores.metrics) for name, split in splits.items()},
        primary_metric=bench.task.primary_metric,
        lower_is_better=bench.task.lower_is_better,
        coverage={name: split.evaluation.coverage for name, split in splits.items()},
        checkpoint=checkpoint,
        breakdowns={name: {table.name: rows(table) for table in tables} for name, tables in _tables(splits).items()},
        chances={
            name: {table.name: table.chance for table in tables if table.chance is not None}
            for name, tables in _tables(splits).items()
        },
        learned={table.name: rows(table) for table in _learned(parts, bench)},
    )


def write_outputs(
    parts: Parts, bench: Workbench, result: Result, splits: Mapping[str, Split], shown: Sequence[str] = ()
) -> None:
    """Write predictions, scores, pictures, report and result, and print a summary.

    The result is written last: its presence shows that the run is complete.

    Args:
        parts: The run.
        bench: What was scored.
        result: Content of ``result.json``.
        splits: Evaluations by split.
        shown: Notes that were printed at the start of the run and are not repeated.
    """
    run_dir = parts.origin.run_dir
    for name, split in splits.items():
        write_predictions(run_dir, name, bench, split)
    tables, learned = _tables(splits), _learned(parts, bench)
    pictures = draw(run_dir, tables, learned)
    config = (run_dir / "config.yaml").read_text(encoding="utf-8")
    write_report(run_dir / "report.md", result, tables=tables, pictures=pictures, config=config, learned=learned)
    write(run_dir, result)
    screen = console()
    if parts.origin.group:  # one table over all jobs follows
        found = " ".join(f"{name} {figures[result.primary_metric]:.4f}" for name, figures in result.metrics.items())
        screen.print(f"{result.title}: {result.primary_metric} {found}", soft_wrap=True)
        return
    for name, split_tables in tables.items():
        for table in split_tables[:1]:  # a metric need not have any
            show(screen, replace(table, title=f"{table.title}, {name} split"))
    show(screen, summary_table(result))
    for note in (note for note in result.notes if note not in shown):
        say(screen, f"note: {note}")
    screen.print(f"report, with breakdowns and pictures: {os.path.relpath(run_dir / 'report.md')}", soft_wrap=True)


def write_predictions(run_dir: Path, name: str, bench: Workbench, split: Split) -> None:
    """Write the predictions of a split to ``predictions/``, and its sufficient statistics to ``scores/``.

    Args:
        run_dir: Directory of the run.
        name: Name of the split, which names the files.
        bench: Its task formats the predictions.
        split: Documents and their evaluation.
    """
    path = run_dir / "predictions" / f"{name}.jsonl"
    path.parent.mkdir(exist_ok=True)
    pairs = zip(split.documents, split.evaluation.predictions, strict=True)
    records = (bench.task.record(document, answer) for document, answer in pairs)
    lines = (json.dumps(record, ensure_ascii=False) for record in records if record)
    write_text(path, "".join(line + "\n" for line in lines))
    scores.write(run_dir / scores.FOLDER / path.name, split.evaluation.scores.records)


def versions() -> dict[str, str]:
    """Return the versions of the libraries that figures depend on."""
    return {name: version(name) for name in _VERSIONS}


def git_sha() -> str | None:
    """Return the commit of the git repository in the working directory, if any."""
    try:
        command = ["git", "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None


def _tables(splits: Mapping[str, Split]) -> dict[str, Any]:
    return {name: split.evaluation.scores.tables for name, split in splits.items()}


def _learned(parts: Parts, bench: Workbench) -> list[Table]:
    return [*bench.strategy.attention.tables(bench.model), *parts.tuning.tables(bench.model)]


def _looks_ahead(bench: Workbench) -> list[str]:
    """Warn that likelihoods are too good where a causal model's attention pattern depends on later tokens."""
    tells_tokens = bench.task.contiguous or bench.task.generates
    if not (tells_tokens and bench.facts.kind == "decoder" and bench.strategy.attention.looks_ahead):
        return []
    name = type(bench.strategy.attention).__module__.rsplit(".", 1)[-1]
    return [
        f"strategy/attention={name} chooses what a token attends to from the whole window: likelihoods (loss, "
        "perplexity, bits per character, compared answers) use some information about later tokens, are too good, "
        "and cannot be compared with those of a strategy that does not look ahead."
    ]


def _sample(split: Split) -> list[str]:
    """Return texts of some documents, to detect their language."""
    kept = [document.fields for document in split.documents[:SAMPLE]]
    values = [value for fields in kept for name, value in fields.items() if name not in NO_TEXTS]
    words = [" ".join(map(str, value[:SAMPLE])) for value in values if isinstance(value, list | tuple)]
    return [*(value for value in values if isinstance(value, str)), *words]


def _notes(bench: Workbench, splits: Mapping[str, Split]) -> list[str]:
    kept = {name: split.evaluation.coverage.tokens for name, split in splits.items()}
    notes = [*bench.task.notes, *bench.strategy.reading.notes(kept), *_looks_ahead(bench)]
    for name, split in splits.items():
        notes += [
            *known.notes(split.evaluation.known, name),
            *split.evaluation.scores.notes,
            *at_chance(name, split.evaluation.scores.tables),
        ]
    return list(dict.fromkeys(notes))
