"""``result.json``: the result of a run, typed and versioned, for all code that writes, shows or compares runs.

Version 1 added ``version``, ``command``, ``lower_is_better``, ``language`` and the coverage of characters; files
without a version are read as version 0.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.fields import Fields
from ctxlab.core.files import write_json
from ctxlab.core.types import Coverage, Table

VERSION = 1
"""Version of the files that are written; older ones can be read."""

FILE = "result.json"
"""Name in a run directory; it is written last, so that its presence shows that the run is complete."""

UNNAMED = "pretrained"
"""Model name for files of version 0 whose model was given by its path, which they do not record."""

Rows = Sequence[Mapping[str, Any]]
"""Rows of a table; each maps column to value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Cost of a run; units are in the names, and None means not applicable or not measured."""

    train_tokens: int | None = None
    train_seconds: float | None = None
    train_cpu_seconds: float | None = None
    threads: int | None = None
    train_steps: int | None = None
    train_epochs: float | None = None
    evaluation_tokens: int | None = None
    evaluation_seconds: float | None = None
    evaluation_documents: int | None = None
    verify_seconds: float | None = None
    tokens_per_second: float | None = None
    padding_share: float | None = None
    peak_memory_bytes: int | None = None
    """Of the first process, where several share the work; the other figures are of all."""
    flops: float | None = None
    matrix_rate_share: float | None = None
    """Operations per second of training, else of evaluation, over those of this machine's matrix products."""
    parameters: int | None = None
    trainable_parameters: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Fields that the results of all stages have."""

    stage: str
    task: str
    model: str
    strategy: str
    context_length: int
    seed: int
    cost: Cost
    command: Sequence[str] = ()
    """Words of the command line, the program's name first; for a job of a multirun those that would run it alone."""
    resumed_from: str | None = None
    """Checkpoint that the run was resumed from."""
    git_sha: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions of the libraries that figures depend on."""
    notes: Sequence[str] = ()
    version: int = VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Outcome):
    """Result of a stage that scores: ``train`` or ``eval``."""

    metrics: Mapping[str, Mapping[str, float]]
    """Split → metric → value."""
    primary_metric: str
    lower_is_better: bool | None = None
    """Whether a lower primary metric is better; None in files of version 0."""
    coverage: Mapping[str, Coverage]
    """Split → coverage."""
    language: str = ""
    """Language code of the documents: from the task, else detected by script; empty in files of version 0."""
    checkpoint: str
    """What was scored: a folder, or the name of a model that was not fine-tuned."""
    breakdowns: Mapping[str, Mapping[str, Rows]] = field(default_factory=dict)
    """Split → name → table."""
    chances: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Split → breakdown → score of guessing; only breakdowns for which it is known."""
    learned: Mapping[str, Rows] = field(default_factory=dict)
    """Name → table of what the strategy learned."""

    @property
    def title(self) -> str:
        """Describe the run in one line."""
        return (
            f"{self.stage}: {self.task}, {self.model}, {self.strategy}, context {self.context_length:,}, "
            f"seed {self.seed}"
        )

    def primary(self, split: str | None = None) -> float | None:
        """Return the primary metric of a split; by default of ``validation``, else of the first split that has it."""
        found = {name: figures.get(self.primary_metric) for name, figures in self.metrics.items()}
        return found.get(split) if split else preferred(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification(Outcome):
    """Result of ``verify``."""

    run: str | None
    """Run whose checkpoint was verified; None for an untrained model."""
    passed: bool
    failed: Sequence[str]
    """Names of the checks that fail."""
    checks: Mapping[str, Mapping[str, Any]]


def preferred(by_split: Mapping[str, float | None]) -> float | None:
    """Return the value of the validation split, else of the first split that has one."""
    if by_split.get("validation") is not None:
        return by_split["validation"]
    return next((value for value in by_split.values() if value is not None), None)


def rows(table: Table) -> list[dict[str, Any]]:
    """Return a table's rows as dictionaries of column → value."""
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def as_dict(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as plain data for JSON, without costs that are None."""
    plain = asdict(outcome)
    plain["cost"] = {name: value for name, value in plain["cost"].items() if value is not None}
    last = ("notes", "breakdowns", "learned", "checks")
    return {name: plain[name] for name in sorted(plain, key=lambda name: (name != "version", name in last))}


def write(folder: Path, outcome: Outcome) -> None:
    """Write ``result.json`` into a run directory, atomically."""
    write_json(folder / FILE, as_dict(outcome))


def read(path: Path) -> Result:
    """Read the result in a file, or in a run directory.

    Raises:
        UserError: There is none, it is damaged, or its stage does not score.
    """
    outcome = read_outcome(path)
    if not isinstance(outcome, Result):
        raise UserError(
            f"{path} is the result of ctxlab {outcome.stage}, which has no scores: give the run directory of train or "
            "eval."
        )
    return outcome


def read_outcome(path: Path) -> Result | Verification:
    """Read the result of any stage; raises UserError naming a file that is missing, damaged or not a result."""
    file = path / FILE if path.is_dir() else path
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read as the result of a run ({error}): run it again.") from error
    return parse(data, str(file))


def parse(data: Any, origin: str) -> Result | Verification:
    """Build the result from plain data; raises UserError naming ``origin`` if it is not one."""
    fields = Fields(data, origin, "the result of a run")
    version = fields.integer("version", 0)
    if version > VERSION:
        raise UserError(
            f"{origin} has version {version}, and this ctxlab reads at most {VERSION}: install a newer ctxlab."
        )
    shared = {
        "stage": fields.text("stage"),
        "task": fields.text("task"),
        "model": fields.text("model", UNNAMED),
        "strategy": fields.text("strategy"),
        "context_length": fields.integer("context_length"),
        "seed": fields.integer("seed"),
        "cost": _cost(fields.part("cost", {})),
        "command": fields.sequence("command", ()),
        "resumed_from": fields.text("resumed_from", None),
        "git_sha": fields.text("git_sha", None),
        "versions": fields.mapping("versions", {}),
        "notes": fields.sequence("notes", ()),
        "version": version,
    }
    return _verification(fields, shared) if "checks" in fields else _result(fields, shared)


def _coverage(fields: Fields) -> Coverage:
    newer = [name for name in ("characters",) if name in fields]
    return Coverage(**fields.numbers("tokens", "labels", *newer))


def _result(fields: Fields, shared: Mapping[str, Any]) -> Result:
    metrics, coverage = fields.part("metrics"), fields.part("coverage")
    return Result(
        **shared,
        metrics={split: metrics.part(split).numbers() for split in metrics},
        primary_metric=fields.text("primary_metric"),
        lower_is_better=fields.flag("lower_is_better", None),
        coverage={split: _coverage(coverage.part(split)) for split in coverage},
        language=fields.text("language", ""),
        checkpoint=fields.text("checkpoint"),
        breakdowns=fields.mapping("breakdowns", {}),
        chances=fields.mapping("chances", {}),
        learned=fields.mapping("learned", {}),
    )


def _verification(fields: Fields, shared: Mapping[str, Any]) -> Verification:
    return Verification(
        **shared,
        run=fields.text("run", None),
        passed=fields.flag("passed"),
        failed=fields.sequence("failed"),
        checks=fields.mapping("checks"),
    )


def _cost(fields: Fields) -> Cost:
    """Keep the costs that this version knows, and ignore others."""
    known = Cost.__dataclass_fields__
    return Cost(**{name: value for name, value in fields.numbers().items() if name in known})
