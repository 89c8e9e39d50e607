"""One command of ``ctxlab export``: the traced model, its bundle, and how it compares with the run."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ctxlab.config import catalogue
from ctxlab.config.build import build
from ctxlab.config.keys.working import ExportOptions
from ctxlab.core import bundle
from ctxlab.core.architecture import vocabulary_size
from ctxlab.core.contract import option
from ctxlab.core.errors import CheckFailed, UserError
from ctxlab.core.export import Exporter
from ctxlab.core.files import write_json
from ctxlab.core.folders import sha256, write_whole
from ctxlab.core.runtime import Runtime
from ctxlab.core.task import Task
from ctxlab.core.types import Table
from ctxlab.data.splits import Splits, load_documents
from ctxlab.export.tracing.trace import trace
from ctxlab.models.loading.checkpointed import WEIGHTS, save_tokenizer
from ctxlab.optim.parameters import count_parameters
from ctxlab.tracking.console import console, say
from ctxlab.workbench.exporting import refusals
from ctxlab.workbench.exporting.comparing import Work, compare, shrink
from ctxlab.workbench.exporting.settings import machine_paths, naming, settings
from ctxlab.workbench.monitoring.reference import save_reference
from ctxlab.workbench.opening import open_bench
from ctxlab.workbench.parts import Parts


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
    if parts.start is None:  # run=null
        raise UserError("ctxlab export needs a training run: give run=<run directory>.")
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
    work = Work(parts, opened, exporter=exporter, runtime=runtime, documents=documents)
    return _write(work)


def _documents(parts: Parts, task: Task) -> Splits:
    splits = load_documents(parts.data, task, parts.data_seed, parts.hold_out)
    name: str = parts.options.split
    if not splits.of(name):
        raise UserError(f"There are no documents in split={name} to compare with: give data.{name}_file=<file>.")
    return splits


def _write(work: Work) -> Session:
    """Write the bundle, which appears only if the comparison is passed."""
    folder, found = work.parts.origin.run_dir / bundle.FOLDER, {}

    def fill(place: Path) -> None:
        found.update(_fill(work, place))

    write_whole(folder, fill)
    return Session(
        work.parts,
        folder,
        parity=found["parity"],
        table=found["table"],
        lost=found["lost"],
        notes=list(dict.fromkeys(work.bench.task.notes)),
    )


def _fill(work: Work, place: Path) -> dict[str, Any]:
    """Write the files of the bundle into an empty folder; returns what the session tells."""
    screen, path = console(), place / work.runtime.file
    say(screen, f"Tracing the model for windows of 1 to {work.longest:,} tokens, which takes a minute or a few …")
    details = work.exporter.write(_traced(work), path)
    measured, table, plain = compare(work, path)
    lost = shrink(work, path, measured, plain) if work.exporter.int8 else None
    assert work.opened.checkpoint is not None
    save_tokenizer(work.bench.tokenizer, work.longest, place)
    shutil.copy(work.opened.checkpoint / "config.json", place / "config.json")
    bundle.write(place, _facts(work, details), settings(work.parts.origin.run_dir))
    write_json(place / bundle.PARITY, measured)
    work.bench.task.notes.append(save_reference(work.parts, work.bench, place / bundle.REFERENCE))
    _check_names(work, place)
    return {"parity": measured, "table": table, "lost": lost}


def _traced(work: Work) -> Any:
    bench, attention = work.bench, work.bench.strategy.attention
    with attention.reading(), attention.exporting(work.longest):
        return trace(bench.model, work.longest, vocabulary_size(bench.model))


def _facts(work: Work, details: dict[str, Any]) -> bundle.Bundle:
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


def _check_names(work: Work, place: Path) -> None:
    """Raise CheckFailed if a file of the bundle names a folder of this machine."""
    start = work.parts.start
    assert start is not None
    named = naming(place, machine_paths(start.folder, work.parts.origin.run_dir))
    if named:
        name, text = next(iter(named.items()))
        raise CheckFailed(f"{name} of the bundle would name a folder of this machine ({text}); no bundle is written.")
