"""One command of ``ctxlab audit``: the run, its documents, and the checks one after the other."""

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from ctxlab.config.build import build
from ctxlab.config.keys.trusting import AuditOptions
from ctxlab.core.audit import Audit, Audited, Check, Rules
from ctxlab.core.augmentation import Augmentation
from ctxlab.core.errors import UserError
from ctxlab.core.task import Task
from ctxlab.data.splits import Splits, load_documents
from ctxlab.tracking.console import console, say
from ctxlab.workbench.auditing import subject
from ctxlab.workbench.opening import open_bench
from ctxlab.workbench.parts import Parts

SETTINGS = ("fail", "level", "least", "documents", "seed")
"""Keys of ``audit`` that are no checks."""

PERTURB = "perturb"
"""Key of a check with perturbations, which are components of their own."""


@dataclass(frozen=True, eq=False)
class Session:
    """A finished audit, to be written."""

    parts: Parts
    audit: Audit
    fails: bool
    """Whether the command fails where something is found."""


def audit(parts: Parts) -> Session:
    """Open the run and make all checks.

    Raises:
        UserError: The run, its documents and the checks do not fit together.
    """
    options: AuditOptions = parts.options
    checks = {name: _check(node) for name, node in options.audit.items() if name not in SETTINGS}
    settings = {name: options.audit[name] for name in SETTINGS}
    rules = Rules(level=settings["level"], least=settings["least"], seed=settings["seed"])
    opened = open_bench(parts, lambda task: _documents(parts, task, options.split), scored=(options.split,))
    bench, documents = opened.bench, opened.documents.of(options.split)
    run = parts.start.folder if parts.start else None
    under = subject.Audited(
        bench,
        documents[: settings["documents"]],
        rules,
        records=lambda: _records(parts, bench.task, options.split),
        run=run,
    )
    made = [_made(name, check, under) for name, check in checks.items()]
    return Session(
        parts,
        Audit(
            run="" if run is None else str(run),
            task=bench.task.name,
            model=parts.model.name,
            strategy=bench.strategy.name,
            split=options.split,
            num_documents=len(under.documents),
            rules=rules,
            checks=made,
            command=parts.origin.command,
            notes=tuple(dict.fromkeys(bench.task.notes)),
        ),
        fails=bool(settings["fail"]),
    )


def _check(node: Mapping[str, Any]) -> Check:
    """Build a check with its perturbations."""
    perturb = {name: build(one, Augmentation) for name, one in node.get(PERTURB, {}).items()}
    own = {name: value for name, value in node.items() if name != PERTURB}
    return build(own, Check, **({PERTURB: perturb} if perturb else {}))


def _documents(parts: Parts, task: Task, split: str) -> Splits:
    splits = load_documents(parts.data, task, parts.data_seed, parts.hold_out)
    if not splits.of(split):
        raise UserError(f"There are no documents in split={split}; give data.{split}_file=<file>, or another split.")
    return splits


def _records(parts: Parts, task: Task, split: str) -> dict[str, Mapping[str, Any]]:
    """Return the records of all splits by id; of equal ids that of the audited split counts."""
    found: dict[str, Mapping[str, Any]] = {}
    for name in sorted(("train", "validation", "test"), key=lambda one: one == split):
        records = parts.data.load(task.name, name, parts.data_seed) or []
        found |= {str(record.fields.get("id", record.origin)): record.fields for record in records}
    return found


def _made(name: str, check: Check, under: subject.Audited) -> Audited:
    started = perf_counter()
    say(console(), f"{name}: {check.question}")
    finding = check.check(under)
    say(console(), f"{name}: {finding.verdict}. {finding.sentence}")
    return Audited(name, check.question, finding, perf_counter() - started)
