"""Limits of the values that the stages' configurations share."""

import math

from omegaconf import DictConfig, OmegaConf

from ctxlab.core import world
from ctxlab.core.errors import UserError

MIN_CONTEXT = 16
"""Minimum context length in tokens."""

LEAST = {
    "seed": 0,
    "data_seed": 0,
    "init_seed": 0,
    "folds": 2,
    "fold": 0,
    "seeds": 1,
    "trials": 1,
    "label.seed": 0,
    "audit.seed": 0,
    "audit.least": 2,
    "audit.documents": 1,
    "targets": 1,
    "checks": 0,
    "drawn": 1,
    "healing.steps": 0,
    "sample_documents": 1,
    "sweep.n_trials": 1,
    "sweep.workers": 1,
    "serve.max_bytes": 1,
    "serve.max_characters": 1,
    "serve.max_waiting": 1,
    "serve.max_waiting_per_key": 1,
    "serve.max_connections": 1,
    "serve.max_jobs": 1,
    "serve.targets": 1,
    "budget.tokens": 1,
    "budget.steps": 1,
    "context.length": MIN_CONTEXT,
    "blocks": 1,
    "tokens": 0,
    "documents": 1,
    "trainer.max_steps": 1,
    "trainer.max_epochs": 1,
    "trainer.max_tokens": 1,
    "trainer.tokens_per_step": 1,
    "trainer.tokens_per_forward": 1,
    "trainer.eval_every_steps": 1,
    "trainer.save_every_steps": 1,
    "trainer.log_every_steps": 1,
    "trainer.keep_checkpoints": 1,
    "trainer.num_workers": 0,
    "trainer.processes": 1,
    "trainer.lanes": 1,
    "trainer.context_parallel": 1,
    "trainer.early_stopping_patience": 1,
}
"""Minimum of integer keys."""

SIZES = (
    "model.hidden_size",
    "model.num_layers",
    "model.num_heads",
    "model.trained_length",
    "objective.steps",
    "label.count",
    "drift.bins",
    "surge.history_days",
    "surge.least_days",
)
"""Integer keys of some options, with a minimum of 1."""

POSITIVE = (
    "budget.seconds",
    "device.memory_gib",
    "device.half_tflops",
    "device.single_tflops",
    "device.bandwidth_gbs",
    "budget.flops",
    "margin",
    "serve.head_seconds",
    "serve.body_seconds",
    "serve.queue_seconds",
    "serve.job_seconds",
    "serve.drain_seconds",
    "sweep.timeout",
    "trainer.max_seconds",
    "trainer.max_flops",
    "trainer.clip_norm",
    "trainer.spike_factor",
)

RANGES = {
    "serve.port": (0.0, 65535.0),
    "optimizer.lr": (0.0, math.inf),
    "optimizer.weight_decay": (0.0, math.inf),
    "optimizer.eps": (0.0, math.inf),
    "optimizer.momentum": (0.0, math.inf),
    "optimizer.clip_threshold": (0.0, math.inf),
    "model.dropout": (0.0, 1.0),
    "model.attention_dropout": (0.0, 1.0),
    "data.ambiguous_share": (0.0, 1.0),
    "objective.alpha": (0.0, math.inf),
    "objective.begin": (0.0, math.inf),
    "objective.gamma": (0.0, math.inf),
    "objective.share": (0.0, 1.0),
    "augment.share": (0.0, 1.0),
    "augment.dose": (0.0, 1.0),
    "perturb.share": (0.0, 1.0),
    "perturb.dose": (0.0, 1.0),
    "label.threshold": (0.0, 1.0),
    "audit.level": (0.0, 1.0),
    "healing.lr": (0.0, math.inf),
    "healing.temperature": (0.0, math.inf),
    "healing.share": (0.0, 1.0),
    "export.max_loss": (0.0, 1.0),
}
"""Minimum and maximum of numbers that libraries would refuse late, or not at all."""

CHOICES = {
    "trainer.precision": ("auto", "fp32", "bf16", "fp16"),
    "trainer.device": ("auto", "cpu", "cuda"),
    "trainer.sharding": ("full", "null"),
    "split": ("train", "validation", "test"),
    "checkpoint": ("best", "latest"),
    "method": ("uniform", "greedy"),
    "format": ("lines", "jsonld", "graphml"),
    "start_checkpoint": ("best", "latest"),
    "label.strategy": ("entropy", "margin", "random"),
    "sweep.sampler": ("grid", "random", "tpe", "gp", "cmaes", "nsgaii"),
}

REQUIRED = {
    "run": "run=<run directory>",
    "runs": "runs=[<run directory>,<run directory>]",
    "input": "input=<file of documents, one JSON line each>",
    "output": "output=<file to write>",
}

SINGLE = ("sweep", "plan")
"""Stages whose candidates are single runs."""

MAX_SEED = 2**32 - 1
"""Largest seed that numpy accepts."""


def validate(config: DictConfig) -> None:
    """Check the values of those of the keys above that ``config`` has.

    Raises:
        UserError: names the first invalid key, its value and the allowed values.
    """
    _check_required(config)
    _check_ranges(config)
    _check_choices(config)
    _check_betas(config)
    _check_heads(config)
    if config.get("folds", 0) is None and config.get("fold"):
        raise UserError(f"fold={config.fold} needs a number of folds: give folds=<number> too.")
    _check_sequence(config)
    if "trainer" in config:
        _check_trainer(config.trainer)
        _check_sharding(str(config.stage), config.trainer)


def _check_required(config: DictConfig) -> None:
    for key, example in REQUIRED.items():
        if OmegaConf.is_missing(config, key):
            raise UserError(f"ctxlab {config.stage} needs {key}: add {example}.")


def _check_ranges(config: DictConfig) -> None:
    for key, least in (LEAST | dict.fromkeys(SIZES, 1)).items():
        value = OmegaConf.select(config, key)
        if isinstance(value, (int, float)) and value < least:
            raise UserError(f"{key}={value} is too small: give a whole number of at least {least}.")
    for key in POSITIVE:
        value = OmegaConf.select(config, key)
        if value is not None and not 0 < value < math.inf:
            raise UserError(f"{key}={value} is not a limit: give a number above 0, or null for none.")
    for key, (low, high) in RANGES.items():
        value = OmegaConf.select(config, key)
        if isinstance(value, (int, float)) and not low <= value <= high:
            end = f"of at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
            raise UserError(f"{key}={value} is out of range: give a number {end}.")
    for key in ("seed", "data_seed", "init_seed"):
        seed = OmegaConf.select(config, key)
        if seed is not None and seed > MAX_SEED:
            raise UserError(f"{key}={seed} is too large: give a whole number from 0 to {MAX_SEED}.")


def _check_choices(config: DictConfig) -> None:
    for key, choices in CHOICES.items():
        value = OmegaConf.select(config, key)
        if value is not None and value not in choices:
            raise UserError(f"{key}={value} is not known: use {', '.join(choices[:-1])} or {choices[-1]}.")


def _check_betas(config: DictConfig) -> None:
    betas = OmegaConf.select(config, "optimizer.betas")
    if betas is not None and (len(betas) != 2 or not all(isinstance(b, (int, float)) and 0 <= b < 1 for b in betas)):
        raise UserError(f"optimizer.betas={list(betas)} are not two numbers from 0 to below 1, such as [0.9,0.999].")


def _check_heads(config: DictConfig) -> None:
    size, heads = (OmegaConf.select(config, f"model.{key}") for key in ("hidden_size", "num_heads"))
    if size is not None and heads is not None and size % heads:
        raise UserError(
            f"model.num_heads={heads} does not divide model.hidden_size={size}: every head has the same width."
        )


def _check_sequence(config: DictConfig) -> None:
    name = OmegaConf.select(config, "continual.name")
    if name not in (None, "none") and config.stage in SINGLE:
        raise UserError(
            f"continual={name} trains several runs in sequence, which ctxlab {config.stage} cannot: use ctxlab train."
        )


def _check_trainer(trainer: DictConfig) -> None:
    if trainer.get("early_stopping_patience") is not None and trainer.get("eval_every_steps") is None:
        raise UserError(
            f"trainer.early_stopping_patience={trainer.early_stopping_patience} needs evaluations during training: "
            "give trainer.eval_every_steps too."
        )
    per_forward = trainer.get("tokens_per_forward")
    if per_forward is not None and per_forward > trainer.tokens_per_step:
        raise UserError(
            f"trainer.tokens_per_forward={per_forward} is more than trainer.tokens_per_step={trainer.tokens_per_step}: "
            "a step has at least one forward pass."
        )


def _check_sharding(stage: str, trainer: DictConfig) -> None:
    if trainer.get("sharding") is None:
        return
    if stage != "train":
        raise UserError(
            f"trainer.sharding={trainer.sharding} deals the weights of ctxlab train to its processes, and ctxlab "
            f"{stage} has no such processes: leave it out."
        )
    if max(int(trainer.processes), world.size()) == 1:
        raise UserError(
            f"trainer.sharding={trainer.sharding} deals the weights to several processes, and there is 1: use "
            "trainer.processes=2 or more, or trainer.sharding=null."
        )
