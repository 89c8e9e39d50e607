"""Types of the keys of stages that watch a run at work: ``explain``, ``audit``, ``monitor``."""

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from ctxlab.config.keys.run import FromRun, RunConfig


@dataclass
class ExplainOptions:
    """Options of ``ctxlab explain`` only."""

    input: str | None = MISSING
    documents: int = MISSING
    targets: int = MISSING
    checks: int = MISSING
    drawn: int = MISSING
    explanation: Any = MISSING


@dataclass
class ExplainConfig(ExplainOptions, FromRun, RunConfig):
    """Root of ``ctxlab explain``."""


@dataclass
class AuditOptions:
    """Options of ``ctxlab audit`` only; ``audit`` also has each chosen check by its name."""

    split: str = MISSING
    audit: Any = MISSING


@dataclass
class AuditConfig(AuditOptions, FromRun, RunConfig):
    """Root of ``ctxlab audit``."""


@dataclass
class MonitorOptions:
    """Options of ``ctxlab monitor`` only."""

    input: str = MISSING
    output: str | None = MISSING
    by: str | None = MISSING
    date_field: str = MISSING
    reference: str | None = MISSING
    webhook: str | None = MISSING
    link_days: int = MISSING
    drift: Any = MISSING
    surge: Any = MISSING


@dataclass
class MonitorConfig(MonitorOptions, FromRun, RunConfig):
    """Root of ``ctxlab monitor``."""

    privacy: Any = MISSING
    runtime: Any = MISSING
