"""Types of the keys of stages that compare ways: ``compare``, ``sweep``, ``plan``, ``report``."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from ctxlab.config.keys.run import RunConfig


@dataclass
class BudgetConfig:
    """Training budget of every candidate; at most one may be given."""

    seconds: float | None = MISSING
    tokens: int | None = MISSING
    flops: float | None = MISSING
    steps: int | None = MISSING


@dataclass
class LimitConfig:
    """Limits that no candidate may exceed."""

    memory: str | None = MISSING


@dataclass
class CompareOptions:
    """Options of ``ctxlab compare`` only."""

    candidates: dict[str, Any] = MISSING
    seeds: int = MISSING
    baseline: str | None = MISSING
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    limit: LimitConfig = field(default_factory=LimitConfig)
    trials: int = MISSING
    margin: float = MISSING


@dataclass
class CompareConfig(CompareOptions, RunConfig):
    """Root of ``ctxlab compare``."""


@dataclass
class DeviceConfig:
    """``conf/device``, where each key is explained."""

    name: str = MISSING
    memory_gib: float | None = MISSING
    half_tflops: float | None = MISSING
    single_tflops: float | None = MISSING
    bandwidth_gbs: float | None = MISSING
    bf16: bool | None = MISSING


@dataclass
class PlanOptions:
    """Options of ``ctxlab plan`` only."""

    candidates: dict[str, Any] = MISSING
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    limit: LimitConfig = field(default_factory=LimitConfig)
    device: DeviceConfig = field(default_factory=DeviceConfig)


@dataclass
class PlanConfig(PlanOptions, RunConfig):
    """Root of ``ctxlab plan``."""


@dataclass
class ReportOptions:
    """Options of ``ctxlab report`` only."""

    runs: list[str] = MISSING
    output: str = MISSING


@dataclass
class ReportConfig(ReportOptions):
    """Root of ``ctxlab report``, which has neither a task nor a model."""

    stage: str = MISSING
    tracking: Any = MISSING


@dataclass
class SweepSettings:
    """``conf/sweep.yaml`` and ``conf/sweep``, where each key is explained."""

    space: Any = MISSING
    n_trials: int | None = MISSING
    timeout: float | None = MISSING
    sampler: str = MISSING
    workers: int = MISSING
    storage: str | None = MISSING
    study: str | None = MISSING
    objectives: list[Any] = MISSING
    prune: bool = MISSING
    smallest: str | None = MISSING


@dataclass
class SweepOptions:
    """Options of ``ctxlab sweep`` only."""

    sweep: SweepSettings = field(default_factory=SweepSettings)
    margin: float = MISSING


@dataclass
class SweepConfig(SweepOptions, RunConfig):
    """Root of ``ctxlab sweep``."""
