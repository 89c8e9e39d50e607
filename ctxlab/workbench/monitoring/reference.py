"""The reference: usual documents of a run in numbers, made once and kept beside the run."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ctxlab.core import bundle
from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.files import write_json
from ctxlab.core.monitoring import LEAST_DOCUMENTS, Reference, Seen
from ctxlab.data.readers.read import read_file
from ctxlab.tracking.console import console, say
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.monitoring.observing import observed
from ctxlab.workbench.parts import Parts

FILE = "reference.json"

HELD_OUT = ("validation", "test")
"""Splits that make a reference: on training documents a model is surer than on any others."""

DOCUMENTS_AT_ONCE = 64

KEPT = 1000
"""Most values of a figure that are kept: evenly spaced ranks of them."""


def reference_of(parts: Parts, bench: Workbench, named: str | None, folder: Path) -> Reference:
    """Return what is usual: the file ``reference=``, or that of ``folder``, which is made if it is not there.

    Args:
        parts: The run, whose held-out documents are usual if none are given.
        bench: The same, opened.
        named: A ``reference.json``, or a file of usual documents; None for the run's held-out documents.
        folder: Folder of the monitor.

    Raises:
        UserError: It is damaged, of another task, or there are too few documents.
    """
    path = Path(named).expanduser() if named else folder / FILE
    if path.suffix == ".json" and path.is_file():
        return _read(path, bench.task.name)
    path = folder / FILE
    if path.is_file():
        return _read(path, bench.task.name)
    exported = None if parts.start is None else bundle.here(parts.start.folder)
    if exported is not None and not named:
        return _of_bundle(exported, path, bench.task.name)
    records = read_file(Path(named).expanduser(), bench.task.name, []) if named else _held_out(parts, bench)
    made = _made(bench, records, named or "the held-out documents of the run")
    write_json(path, made.plain())
    say(console(), f"{made.num_documents:,} usual documents → {path}")
    return made


def _read(path: Path, task: str) -> Reference:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    return Reference.of(content, str(path), task)


def _of_bundle(exported: Path, path: Path, task: str) -> Reference:
    """Return the reference of a bundle, whose checksums were compared when it was opened, and keep a copy.

    Raises:
        UserError: It has none, or one of another task.
    """
    if not (exported / bundle.REFERENCE).is_file():
        raise UserError(
            f"{exported} has no {bundle.REFERENCE}, because its run had fewer than {LEAST_DOCUMENTS} held-out "
            "documents: give usual documents with reference=<file>, or use drift=none."
        )
    found = _read(exported / bundle.REFERENCE, task)
    write_json(path, found.plain())
    return found


def save_reference(parts: Parts, bench: Workbench, path: Path) -> str:
    """Write the reference of the run's held-out documents, if there are enough; returns a sentence on what was done."""
    records = _held_out(parts, bench)
    if len(records) < LEAST_DOCUMENTS:
        return (
            f"The run has {len(records)} held-out documents, and a reference for ctxlab monitor needs "
            f"{LEAST_DOCUMENTS}: the bundle has none."
        )
    made = _made(bench, records, "the held-out documents of the run")
    write_json(path, made.plain())
    return f"{path.name} says what is usual, from {made.num_documents:,} held-out documents, for ctxlab monitor."


def _held_out(parts: Parts, bench: Workbench) -> list[Record]:
    found: list[Record] = []
    for split in HELD_OUT:
        for record in parts.data.load(bench.task.name, split, parts.data_seed) or []:
            found.append(Record({**record.fields, "id": f"{split} {record.fields['id']}"}, f"{split} {record.origin}"))
    return found


def _made(bench: Workbench, records: Sequence[Record], what: str) -> Reference:
    seen: list[Seen] = []
    for start in range(0, len(records), DOCUMENTS_AT_ONCE):
        seen += [one for _, one in observed(bench, records[start : start + DOCUMENTS_AT_ONCE])]
    if len(seen) < LEAST_DOCUMENTS:
        raise UserError(
            f"{what} are {len(seen)} documents, and what is usual needs at least {LEAST_DOCUMENTS}: give usual "
            "documents with reference=<file>, or use drift=none."
        )
    names = [name for name in seen[0].figures if all(name in one.figures for one in seen)]
    figures = {name: _spread(sorted(one.figures[name] for one in seen)) for name in names}
    labels = Counter(one.label for one in seen if one.label is not None)
    return Reference(bench.task.name, len(seen), figures, dict(sorted(labels.items())))


def _spread(values: Sequence[float]) -> list[float]:
    """Return at most ``KEPT`` of the ascending values, evenly spaced in rank."""
    if len(values) <= KEPT:
        return list(values)
    return [values[round(index * (len(values) - 1) / (KEPT - 1))] for index in range(KEPT)]
