"""Types of the keys that every stage shares; the values are in ``conf/``, their limits in ``limits.py``."""

from dataclasses import dataclass, field, fields
from typing import Any

from omegaconf import MISSING, DictConfig, OmegaConf


@dataclass
class ContextConfig:
    """``conf/context``."""

    length: int = MISSING


@dataclass
class TrainerConfig:
    """``conf/trainer``, where each key is explained."""

    max_steps: int | None = MISSING
    max_epochs: int | None = MISSING
    max_seconds: float | None = MISSING
    max_tokens: int | None = MISSING
    max_flops: float | None = MISSING
    tokens_per_step: int = MISSING
    tokens_per_forward: int | None = MISSING
    eval_every_steps: int | None = MISSING
    save_every_steps: int = MISSING
    log_every_steps: int = MISSING
    keep_checkpoints: int = MISSING
    precision: str = MISSING
    device: str = MISSING
    deterministic: bool = MISSING
    num_workers: int = MISSING
    processes: int = MISSING
    lanes: int | None = MISSING
    context_parallel: int = MISSING
    sharding: str | None = MISSING
    clip_norm: float | None = MISSING
    spike_factor: float | None = MISSING
    skip_spikes: bool = MISSING
    activation_checkpointing: bool = MISSING
    early_stopping_patience: int | None = MISSING


@dataclass
class RunConfig:
    """Root of ``ctxlab train``, inherited by the stages that start from a run."""

    stage: str = MISSING
    task: Any = MISSING
    model: Any = MISSING
    data: Any = MISSING
    probe: Any = MISSING
    context: ContextConfig = field(default_factory=ContextConfig)
    strategy: Any = MISSING
    optimizer: Any = MISSING
    scheduler: Any = MISSING
    tuning: Any = MISSING
    averaging: Any = MISSING
    objective: Any = MISSING
    continual: Any = MISSING
    augment: Any = MISSING
    knowledge: Any = MISSING
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    tracking: Any = MISSING
    seed: int = MISSING
    data_seed: int = MISSING
    init_seed: int = MISSING
    folds: int | None = MISSING
    fold: int = MISSING
    resume: str | None = MISSING
    start: str | None = MISSING
    start_checkpoint: str = MISSING


@dataclass
class FromRun:
    """Keys of the stages that start from a finished run; without ``run`` they use the model without training."""

    run: str | None = MISSING
    checkpoint: str = MISSING


@dataclass
class EvalOptions:
    """Options of ``ctxlab eval`` only."""

    split: str = MISSING
    runs: list[str] | None = MISSING
    given: list[str] = MISSING


@dataclass
class SoupOptions:
    """Options of ``ctxlab soup`` only."""

    runs: list[str] = MISSING
    given: list[str] = MISSING
    method: str = MISSING
    checkpoint: str = MISSING


@dataclass
class PredictOptions:
    """Options of ``ctxlab predict`` only."""

    input: str = MISSING
    output: str = MISSING
    overwrite: bool = MISSING


@dataclass
class LabelOptions:
    """Options of ``ctxlab label`` only."""

    input: str = MISSING
    output: str = MISSING
    overwrite: bool = MISSING
    label: Any = MISSING


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
class AskOptions:
    """Options of ``ctxlab ask`` only."""

    input: str = MISSING
    question: str | None = MISSING
    questions: str | None = MISSING
    retriever: str = MISSING
    passages: int = MISSING
    passage_words: int = MISSING
    output: str | None = MISSING
    overwrite: bool = MISSING


@dataclass
class TlsSettings:
    """``serve.tls`` in ``conf/serve.yaml``."""

    certificate: str | None = MISSING
    key: str | None = MISSING


@dataclass
class ServeSettings:
    """``serve`` in ``conf/serve.yaml``, where each key is explained."""

    host: str = MISSING
    port: int = MISSING
    workers: str = MISSING
    queue_seconds: float = MISSING
    keys: str | None = MISSING
    tls: TlsSettings = field(default_factory=TlsSettings)
    jobs: str | None = MISSING
    max_jobs: int = MISSING
    job_seconds: float = MISSING
    targets: int = MISSING
    max_bytes: int = MISSING
    max_characters: int = MISSING
    max_waiting: int = MISSING
    max_waiting_per_key: int = MISSING
    max_connections: int = MISSING
    head_seconds: float = MISSING
    body_seconds: float = MISSING
    drain_seconds: float = MISSING


@dataclass
class ServeOptions:
    """Options of ``ctxlab serve`` only."""

    serve: ServeSettings = field(default_factory=ServeSettings)
    explanation: Any = MISSING


@dataclass
class AuditOptions:
    """Options of ``ctxlab audit`` only; ``audit`` also has each chosen check by its name."""

    split: str = MISSING
    audit: Any = MISSING


@dataclass
class HealingSettings:
    """``healing`` in ``conf/compress.yaml``, where each key is explained."""

    steps: int | None = MISSING
    lr: float | None = MISSING
    temperature: float = MISSING
    share: float = MISSING


@dataclass
class CompressOptions:
    """Options of ``ctxlab compress`` only."""

    compression: Any = MISSING
    healing: HealingSettings = field(default_factory=HealingSettings)
    sample_documents: int = MISSING


@dataclass
class ExportOptions:
    """Options of ``ctxlab export`` only."""

    split: str = MISSING
    documents: int = MISSING
    export: Any = MISSING


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
class VerifyOptions:
    """Options of ``ctxlab verify`` only."""

    blocks: int = MISSING
    tokens: int = MISSING
    documents: int = MISSING


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
class CompareConfig(CompareOptions, RunConfig):
    """Root of ``ctxlab compare``."""


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


@dataclass
class EvalConfig(EvalOptions, FromRun, RunConfig):
    """Root of ``ctxlab eval``."""

    perturb: Any = MISSING
    runtime: Any = MISSING


@dataclass
class SoupConfig(SoupOptions, RunConfig):
    """Root of ``ctxlab soup``."""


@dataclass
class PredictConfig(PredictOptions, FromRun, RunConfig):
    """Root of ``ctxlab predict``."""

    runtime: Any = MISSING

    privacy: Any = MISSING


@dataclass
class LabelConfig(LabelOptions, FromRun, RunConfig):
    """Root of ``ctxlab label``."""


@dataclass
class ExplainConfig(ExplainOptions, FromRun, RunConfig):
    """Root of ``ctxlab explain``."""


@dataclass
class AskConfig(AskOptions, FromRun, RunConfig):
    """Root of ``ctxlab ask``."""


@dataclass
class ServeConfig(ServeOptions, FromRun, RunConfig):
    """Root of ``ctxlab serve``."""

    runtime: Any = MISSING

    privacy: Any = MISSING


@dataclass
class MonitorConfig(MonitorOptions, FromRun, RunConfig):
    """Root of ``ctxlab monitor``."""

    privacy: Any = MISSING
    runtime: Any = MISSING


@dataclass
class AuditConfig(AuditOptions, FromRun, RunConfig):
    """Root of ``ctxlab audit``."""


@dataclass
class CompressConfig(CompressOptions, FromRun, RunConfig):
    """Root of ``ctxlab compress``."""


@dataclass
class ExportConfig(ExportOptions, FromRun, RunConfig):
    """Root of ``ctxlab export``."""


@dataclass
class VerifyConfig(VerifyOptions, FromRun, RunConfig):
    """Root of ``ctxlab verify``."""


SCHEMAS = {
    "run_schema": RunConfig,
    "eval_schema": EvalConfig,
    "soup_schema": SoupConfig,
    "predict_schema": PredictConfig,
    "label_schema": LabelConfig,
    "explain_schema": ExplainConfig,
    "ask_schema": AskConfig,
    "serve_schema": ServeConfig,
    "audit_schema": AuditConfig,
    "compress_schema": CompressConfig,
    "export_schema": ExportConfig,
    "monitor_schema": MonitorConfig,
    "verify_schema": VerifyConfig,
    "compare_schema": CompareConfig,
    "report_schema": ReportConfig,
    "sweep_schema": SweepConfig,
    "plan_schema": PlanConfig,
}
"""Schemas by the names in the primary configs."""

OPTIONS: dict[str, type] = {
    "eval": EvalOptions,
    "soup": SoupOptions,
    "predict": PredictOptions,
    "label": LabelOptions,
    "explain": ExplainOptions,
    "ask": AskOptions,
    "serve": ServeOptions,
    "audit": AuditOptions,
    "compress": CompressOptions,
    "export": ExportOptions,
    "monitor": MonitorOptions,
    "verify": VerifyOptions,
    "compare": CompareOptions,
    "report": ReportOptions,
    "sweep": SweepOptions,
    "plan": PlanOptions,
}
"""Stage → class of its own options."""


def stage_options(config: DictConfig) -> Any:
    """Return the options of the stage of ``config`` only, as its class in ``OPTIONS``; None if it has none."""
    kind = OPTIONS.get(config.stage)
    if kind is None:
        return None
    values = {field.name: config[field.name] for field in fields(kind)}
    return kind(**{name: OmegaConf.to_object(v) if OmegaConf.is_config(v) else v for name, v in values.items()})
