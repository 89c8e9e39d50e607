"""Comparing an exported model with its run, on windows of every length and on documents: what ``parity.json`` says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ctxlab.core.architecture import vocabulary_size
from ctxlab.core.errors import CheckFailed
from ctxlab.core.export import Exporter
from ctxlab.core.runtime import Runtime
from ctxlab.core.types import Document, Table
from ctxlab.runtime.exported_model import ExportedModel
from ctxlab.runtime.machine import description
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.exporting import parity
from ctxlab.workbench.finish import Split, score_split
from ctxlab.workbench.opening import Opened
from ctxlab.workbench.parts import Parts
from ctxlab.workbench.perturbing import paired

FULL = ("fp32", "int8")
"""Names of the two forms of a model in ``parity.json``."""


@dataclass(frozen=True, eq=False)
class Work:
    """What every step of an export needs."""

    parts: Parts
    opened: Opened
    exporter: Exporter
    runtime: Runtime
    documents: list[Document]

    @property
    def bench(self) -> Workbench:
        """Return the opened run."""
        return self.opened.bench

    @property
    def longest(self) -> int:
        """Return the tokens of the longest window."""
        return self.bench.strategy.reading.longest(self.bench.length)

    def with_model(self, path: Path) -> Workbench:
        """Return the workbench with the exported model in ``path``."""
        return replace(self.bench, model=ExportedModel(self.runtime.open(path), self.bench.model.config))


def compare(work: Work, path: Path) -> tuple[dict[str, Any], Table, Split]:
    """Compare the exported model with the run's; returns the figures, a table, and the documents with the run's scores.

    Raises:
        CheckFailed: They are not equal.
    """
    bench, other = work.bench, work.with_model(path)
    attention, vocabulary = bench.strategy.attention, vocabulary_size(bench.model)
    tried = parity.try_lengths(
        bench.model, other.model, attention=attention, longest=work.longest, vocabulary=vocabulary
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


def shrink(work: Work, path: Path, measured: dict[str, Any], before: Split) -> Table:
    """Replace the weights by int8 ones, and add what that costs to ``measured``.

    Args:
        work: The export.
        path: File of the fp32 model, which is replaced.
        measured: Content of ``parity.json`` so far.
        before: The documents with the run's scores.

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


def _differing(work: Work, one: Split, other: Split) -> int:
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


def _versions() -> dict[str, str]:
    found = {}
    for name in ("ctxlab", "torch", "transformers", "onnx", "onnxscript", "onnxruntime"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
