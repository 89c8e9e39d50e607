"""Types of the keys that every stage shares."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


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
