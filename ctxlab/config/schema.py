"""The schema of each primary config, and the options of each stage.

Types are in ``keys``, values in ``conf/``, their limits in ``limits.py``.
"""

from dataclasses import fields
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ctxlab.config.keys.comparing import (
    CompareConfig,
    CompareOptions,
    PlanConfig,
    PlanOptions,
    ReportConfig,
    ReportOptions,
    SweepConfig,
    SweepOptions,
)
from ctxlab.config.keys.judging import EvalConfig, EvalOptions, SoupConfig, SoupOptions, VerifyConfig, VerifyOptions
from ctxlab.config.keys.run import RunConfig
from ctxlab.config.keys.trusting import (
    AuditConfig,
    AuditOptions,
    ExplainConfig,
    ExplainOptions,
    MonitorConfig,
    MonitorOptions,
)
from ctxlab.config.keys.working import (
    AskConfig,
    AskOptions,
    CompressConfig,
    CompressOptions,
    ExportConfig,
    ExportOptions,
    LabelConfig,
    LabelOptions,
    PredictConfig,
    PredictOptions,
    ServeConfig,
    ServeOptions,
)

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
