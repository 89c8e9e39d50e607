"""One command of ``ctxlab export``: the traced model, its bundle, and how it compares with the run."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ctxlab.config import catalogue
from ctxlab.config.build import build
from ctxlab.config.schema import ExportOptions
from ctxlab.core import bundle
from ctxlab.core.architecture import vocabulary_size
from ctxlab.core.contract import option
from ctxlab.core.errors import CheckFailed, UserError
from ctxlab.core.export import Exporter
from ctxlab.core.files import write_json
from ctxlab.core.folders import sha256, write_whole
from ctxlab.core.runtime import Runtime
from ctxlab.core.task import Task
from ctxlab.core.types import Document, Table
from ctxlab.data.splits import Splits, load_documents
from ctxlab.export.tracing.trace import trace
from ctxlab.models.loading.checkpointed import WEIGHTS, save_tokenizer
from ctxlab.optim.parameters import count_parameters
from ctxlab.runtime.exported_model import ExportedModel
from ctxlab.runtime.machine import description
from ctxlab.tracking.console import console, say
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.exporting import parity, refusals
from ctxlab.workbench.exporting.settings import machine_paths, naming, settings
from ctxlab.workbench.finish import Split, score_split
from ctxlab.workbench.opening import Opened, open_bench
from ctxlab.workbench.parts import Parts
from ctxlab.workbench.perturbing import paired

FULL = ("fp32", "int8")
"""Names of the two forms of a model in ``parity.json``."""


@dataclass(frozen=True, eq=False)
class Session:
    """A finished export, to be told."""

    parts: Parts
    folder: Path
    parity: Mapping[str, Any]
    table: Table
    lost: Table | None
    """Figures before and after int8; None without it."""
    notes: list[str]


@dataclass(frozen=True, eq=False)
class _Work:
    """What every step of an export needs."""

    parts: Parts
    opened: Opened
    exporter: Exporter
    runtime: Runtime
    documents: list[Document]

    @property
    def bench(self) -> Workbench:
        return self.opened.bench

    @property
    def longest(self) -> int:
        """Tokens of the longest window."""
        return self.bench.strategy.reading.longest(self.bench.length)

    def with_model(self, path: Path) -> Workbench:
        """Return the workbench with the exported model in ``path``."""
        return replace(self.bench, model=ExportedModel(self.runtime.open(path), self.bench.model.config))


def export(parts: Parts) -> Session:
    """Open the run, write its bundle and compare both.

    Raises:
        UserError: The run cannot be exported, or a library is missing.
        CheckFailed: Outputs of the exported model are not those of the run.
    """
    options: ExportOptions = parts.options
    exporter = build(options.export, Exporter)
    exporter.check()
    runtime = build(catalogue.read(catalogue.option_file("runtime", exporter.runtime)), Runtime)
    runtime.check()
    if parts.start is None:
        raise UserError("ctxlab export needs run=<run directory>.")
    if parts.trainer.processes > 1:
        raise UserError(f"trainer.processes={parts.trainer.processes}: ctxlab export uses one process; leave it out.")
    refusals.check_parts(parts)
    # Whatever the run's device and precision: bf16 has no operators in ONNX.
    parts = replace(parts, trainer=replace(parts.trainer, device="cpu", precision="fp32"))
    opened = open_bench(
        parts, lambda task: _documents(parts, task), scored=(options.split,), refuse=refusals.check_task
    )
    refusals.check_bench(opened.bench)
    documents = opened.documents.of(options.split)[: options.documents]
    work = _Work(parts, opened, exporter, runtime, documents)
    return _write(work)


def _documents(parts: Parts, task: Task) -> Splits:
    splits = load_documents(parts.data, task, parts.data_seed, parts.hold_out)
    name: str = parts.options.split
    if not splits.of(name):
        raise UserError(f"There are no documents in split={name} to compare with: give data.{name}_file=<file>.")
    return splits


def _write(work: _Work) -> Session:
    """Write the bundle, which appears only if the comparison is passed."""
    folder, found = work.parts.origin.run_dir / bundle.FOLDER, {}

    def fill(place: Path) -> None:
        found.update(_fill(work, place))

    write_whole(folder, fill)
    return Session(
        work.parts, folder, found["parity"], found["table"], found["lost"], list(dict.fromkeys(work.bench.task.notes))
    )


def _fill(work: _Work, place: Path) -> dict[str, Any]:
    """Write the files of the bundle into an empty folder; returns what the session tells."""
    screen, path = console(), place / work.runtime.file
    say(screen, f"Tracing the model for windows of 1 to {work.longest:,} tokens, which takes a minute or a few …")
    details = work.exporter.write(_traced(work), path)
    measured, table, plain = _compare(work, path)
    lost = _shrink(work, path, measured, plain) if work.exporter.int8 else None
    assert work.opened.checkpoint is not None
    save_tokenizer(work.bench.tokenizer, work.longest, place)
    shutil.copy(work.opened.checkpoint / "config.json", place / "config.json")
    bundle.write(place, _facts(work, details), settings(work.parts.origin.run_dir))
    write_json(place / bundle.PARITY, measured)
    _check_names(work, place)
    return {"parity": measured, "table": table, "lost": lost}


def _traced(work: _Work) -> Any:
    bench, attention = work.bench, work.bench.strategy.attention
    with attention.reading(), attention.exporting(work.longest):
        return trace(bench.model, work.longest, vocabulary_size(bench.model))


def _compare(work: _Work, path: Path) -> tuple[dict[str, Any], Table, Split]:
    """Compare the exported model with the run's; returns the figures, a table, and the documents as the run scores them.

    Raises:
        CheckFailed: They are not equal.
    """
    bench, other = work.bench, work.with_model(path)
    tried = parity.try_lengths(
        bench.model, other.model, bench.strategy.attention, work.longest, vocabulary_size(bench.model)
    )
    compared = parity.Compared(bench.model, other.model).eval()
    name: str = work.parts.options.split
    before = score_split(replace(bench, model=compared), f"{name} with both", work.documents)
    after = score_split(other, f"{name} as exported", work.documents)
    read, metric = compared.difference, bench.task.primary_metric
    figures = [round(one.evaluation.scores.metrics[metric], 4) for one in (before, after)]
    differing = _differing(work, before, after)
    measured = {
        "tolerance": parity.TOLERANCE,
        "windows": {"lengths": parity.lengths(work.longest), "rows": list(parity.BATCHES), **_plain(tried)},
        "documents": {
            "split": name,
            "documents": len(work.documents),
            "records_that_differ": differing,
            **_plain(read),
            metric: {"run": figures[0], "exported": figures[1]},
        },
        "int8": None,
        "machine": description(bench.accelerator.device),
        "versions": _versions(),
    }
    if not (tried.within and read.within) or differing or figures[0] != figures[1]:
        raise CheckFailed(
            f"The exported model differs from the run: by up to {max(tried.largest, read.largest):.1e} (at most "
            f"{parity.TOLERANCE:.0e} is allowed), with {tried.flips + read.flips} other labels, {differing} other "
            f"records, and {metric} {figures[1]:.4f} instead of {figures[0]:.4f}; no bundle is written."
        )
    return measured, _table(measured, metric), before


def _shrink(work: _Work, path: Path, measured: dict[str, Any], before: Split) -> Table:
    """Replace the weights by int8 ones, and add what that costs to ``measured``.

    Raises:
        CheckFailed: The primary metric loses more than is allowed.
    """
    size, metric = path.stat().st_size, work.bench.task.primary_metric
    work.exporter.quantize(path)
    other = work.with_model(path)
    compared = parity.Compared(work.bench.model, other.model).eval()
    score_split(replace(work.bench, model=compared), "with both", work.documents)
    after = score_split(other, "as int8", work.documents)
    note = "Intervals are 95 % t intervals of the paired difference over documents, for this one model."
    lost = replace(paired(before, after, note, higher=metric), title="int8 against fp32 on the same documents")
    lost = replace(lost, name="int8", columns=("figure", *FULL, "difference", "low", "high"))
    first = dict(zip(lost.columns, lost.rows[0], strict=True))
    read = compared.difference
    measured["int8"] = {
        metric: {name: round(float(first[name]), 4) for name in FULL},
        "difference": {name: _rounded(first[name]) for name in ("difference", "low", "high")},
        "label_agreement": round(1 - read.flips / max(read.compared, 1), 6),
        "records_that_differ": _differing(work, before, after),
        "largest_difference": read.largest,
        "bytes": path.stat().st_size,
        "share_of_fp32_bytes": round(path.stat().st_size / size, 3),
    }
    loss = float(first["fp32"]) - float(first["int8"])
    if loss > work.exporter.max_loss:
        raise CheckFailed(
            f"int8 loses {loss:.4f} of {metric} ({first['fp32']:.4f} → {first['int8']:.4f}), more than "
            f"export.max_loss={work.exporter.max_loss:g}; no bundle is written: leave export.int8 out, or allow more."
        )
    return lost


def _rounded(value: float) -> float | None:
    """Return a value for JSON, which has no word for an interval without bounds."""
    return round(float(value), 4) if abs(value) < float("inf") else None


def _differing(work: _Work, one: Split, other: Split) -> int:
    """Count the documents with another record."""
    make: Callable[..., Any] = work.bench.task.record
    pairs = zip(work.documents, one.evaluation.predictions, other.evaluation.predictions, strict=True)
    return sum(make(document, first) != make(document, second) for document, first, second in pairs)


def _plain(found: parity.Difference) -> dict[str, Any]:
    return {
        "largest_difference": found.largest,
        "label_flips": found.flips,
        "labels_compared": found.compared,
    }


def _table(measured: Mapping[str, Any], metric: str) -> Table:
    windows, documents = measured["windows"], measured["documents"]
    figures = documents[metric]
    tried = f"random windows of {', '.join(f'{length:,}' for length in windows['lengths'])} tokens"
    rows = [
        (tried, windows["largest_difference"], windows["label_flips"], windows["labels_compared"], "", ""),
        (
            f"{documents['documents']:,} documents, {documents['split']} split",
            documents["largest_difference"],
            documents["label_flips"],
            documents["labels_compared"],
            figures["run"],
            figures["exported"],
        ),
    ]
    columns = ("compared on", "largest difference", "flips", "of", f"{metric} of the run", f"{metric} as exported")
    rows = [(row[0], f"{row[1]:.1e}", *row[2:]) for row in rows]
    return Table("parity", "The exported model against the run", columns, rows=rows)


def _facts(work: _Work, details: dict[str, Any]) -> bundle.Bundle:
    bench, folder, start = work.bench, work.opened.checkpoint, work.parts.start
    assert folder is not None
    assert start is not None
    return bundle.Bundle(
        version=bundle.VERSION,
        ctxlab=version("ctxlab"),
        format=option(work.exporter),
        runtime=work.exporter.runtime,
        file=work.runtime.file,
        int8=work.exporter.int8,
        task=bench.task.name,
        longest_window=work.longest,
        context_length=bench.length,
        run=start.folder.name,
        checkpoint=folder.name,
        weights_sha256=sha256(folder / WEIGHTS),
        num_parameters=count_parameters(bench.model),
        facts=bench.facts,
        details=details,
    )


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError

    found = {}
    for name in ("ctxlab", "torch", "transformers", "onnx", "onnxscript", "onnxruntime"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _check_names(work: _Work, place: Path) -> None:
    """Raise CheckFailed if a file of the bundle names a folder of this machine."""
    start = work.parts.start
    assert start is not None
    named = naming(place, machine_paths(start.folder, work.parts.origin.run_dir))
    if named:
        name, text = next(iter(named.items()))
        raise CheckFailed(f"{name} of the bundle would name a folder of this machine ({text}); no bundle is written.")


