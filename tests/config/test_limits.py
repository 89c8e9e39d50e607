"""Limits of the shared keys, one row each."""

from contextlib import nullcontext

import pytest
from omegaconf import OmegaConf

from ctxlab.config import catalogue, limits
from ctxlab.core.errors import UserError


def base():
    trainer = {
        "max_steps": None, "max_epochs": None, "max_seconds": None, "max_tokens": None, "max_flops": None,
        "tokens_per_step": 4096,
        "tokens_per_forward": None, "eval_every_steps": None, "early_stopping_patience": None, "precision": "auto",
        "device": "auto", "clip_norm": 1.0, "num_workers": 0, "save_every_steps": 100, "log_every_steps": 10,
        "keep_checkpoints": 2,
    }  # fmt: skip
    return OmegaConf.create({"stage": "train", "seed": 1, "context": {"length": 4096}, "trainer": trainer})


GOOD = [
    ("seed", 0), ("seed", 2**32 - 1), ("context.length", 16), ("trainer.max_steps", 1),
    ("trainer.max_seconds", 0.5), ("trainer.max_epochs", 1), ("trainer.tokens_per_forward", 4096),
    ("trainer.clip_norm", None), ("trainer.num_workers", 0), ("trainer.precision", "bf16"),
    ("trainer.device", "cuda"), ("trainer.eval_every_steps", 1), ("trainer.keep_checkpoints", 1),
]  # fmt: skip

BAD = [
    ("seed", -1), ("seed", 2**32), ("context.length", 15), ("trainer.max_steps", 0), ("trainer.max_epochs", 0),
    ("trainer.max_seconds", 0.0), ("trainer.max_seconds", float("nan")), ("trainer.max_tokens", 0),
    ("trainer.max_seconds", float("inf")), ("trainer.max_flops", 0.0), ("trainer.max_flops", float("inf")),
    ("trainer.tokens_per_step", 0), ("trainer.tokens_per_forward", 0), ("trainer.tokens_per_forward", 4097),
    ("trainer.eval_every_steps", 0), ("trainer.save_every_steps", 0), ("trainer.log_every_steps", 0),
    ("trainer.keep_checkpoints", 0), ("trainer.num_workers", -1), ("trainer.clip_norm", 0.0),
    ("trainer.early_stopping_patience", 1), ("trainer.precision", "fp8"), ("trainer.device", "tpu"),
    ("trainer.sharding", "half"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), GOOD)
def test_what_is_allowed(key, value):
    config = base()
    OmegaConf.update(config, key, value)
    limits.validate(config)


@pytest.mark.parametrize(("key", "value"), BAD)
def test_what_is_refused_by_key_and_value(key, value):
    config = base()
    OmegaConf.update(config, key, value)
    with pytest.raises(UserError) as caught:
        limits.validate(config)
    assert key.rpartition(".")[2] in str(caught.value)
    assert str(value) in str(caught.value)


def test_patience_needs_evaluations():
    config = base()
    config.trainer.early_stopping_patience, config.trainer.eval_every_steps = 2, 10
    limits.validate(config)
    config.trainer.eval_every_steps = None
    with pytest.raises(UserError, match="eval_every_steps"):
        limits.validate(config)


@pytest.mark.parametrize(("stage", "refused"), [("sweep", True), ("plan", True), ("train", False)])
def test_runs_in_sequence_are_for_train(stage, refused):
    config = OmegaConf.merge(base(), {"stage": stage, "continual": {"name": "ewc"}})
    with pytest.raises(UserError, match="continual=ewc") if refused else nullcontext():
        limits.validate(config)


@pytest.mark.parametrize("value", ["dev", "val"])
def test_splits(value):
    with pytest.raises(UserError, match=f"split={value}"):
        limits.validate(OmegaConf.merge(base(), {"split": value}))


def test_limits_are_of_keys_that_exist():
    stages = [path.stem for path in catalogue.conf_dir().glob("*.yaml")]
    keys = {"split", *(key for stage in stages for key in catalogue.tree(stage))}
    assert {*limits.LEAST, *limits.POSITIVE, *limits.CHOICES, *limits.REQUIRED} - {"label.strategy"} <= keys


@pytest.mark.parametrize(
    ("stage", "processes", "sentence"),
    [("train", 1, "there is 1: use trainer.processes=2 or more"), ("eval", 2, "ctxlab eval has no such processes")],
)
def test_weights_are_dealt_to_processes_of_training(stage, processes, sentence):
    config = OmegaConf.merge(base(), {"stage": stage, "trainer": {"sharding": "full", "processes": processes}})
    with pytest.raises(UserError, match=sentence):
        limits.validate(config)
    config.stage, config.trainer.processes = "train", 2
    limits.validate(config)
