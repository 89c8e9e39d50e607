"""Types of the keys of stages that put a run to work, from ``predict`` to ``export``."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from ctxlab.config.keys.run import FromRun, RunConfig


@dataclass
class PredictOptions:
    """Options of ``ctxlab predict`` only."""

    input: str = MISSING
    output: str = MISSING
    format: str = MISSING
    overwrite: bool = MISSING


@dataclass
class PredictConfig(PredictOptions, FromRun, RunConfig):
    """Root of ``ctxlab predict``."""

    runtime: Any = MISSING
    privacy: Any = MISSING


@dataclass
class LabelOptions:
    """Options of ``ctxlab label`` only."""

    input: str = MISSING
    output: str = MISSING
    overwrite: bool = MISSING
    label: Any = MISSING


@dataclass
class LabelConfig(LabelOptions, FromRun, RunConfig):
    """Root of ``ctxlab label``."""


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
class AskConfig(AskOptions, FromRun, RunConfig):
    """Root of ``ctxlab ask``."""


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
class ServeConfig(ServeOptions, FromRun, RunConfig):
    """Root of ``ctxlab serve``."""

    runtime: Any = MISSING
    privacy: Any = MISSING


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
class CompressConfig(CompressOptions, FromRun, RunConfig):
    """Root of ``ctxlab compress``."""


@dataclass
class ExportOptions:
    """Options of ``ctxlab export`` only."""

    split: str = MISSING
    documents: int = MISSING
    export: Any = MISSING


@dataclass
class ExportConfig(ExportOptions, FromRun, RunConfig):
    """Root of ``ctxlab export``."""
