"""Keys that are fixed by an earlier run: a command that starts from it can repeat but not change them."""

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.types import Override

from ctxlab.command.overrides import dotted
from ctxlab.command.replay import Start
from ctxlab.config import catalogue
from ctxlab.config.redact import MASK
from ctxlab.core.errors import UserError

OF_TRAINING = (
    "model",
    "seed",
    "init_seed",
    "optimizer",
    "scheduler",
    "tuning",
    "averaging",
    "objective",
    "continual",
    "augment",
    "experiment",
    *(f"task.{key}" for key in ("labels", "multi_label", "mode", "form", "width", "block", "markers")),
    *(
        f"task.{key}"
        for key in ("outside_weight", "negatives", "no_answer_weight", "no_answer_share", "stretch_tokens")
    ),
    "trainer.max_steps",
    "trainer.max_epochs",
    "trainer.max_seconds",
    "trainer.max_tokens",
    "trainer.max_flops",
    "trainer.eval_every_steps",
    "trainer.save_every_steps",
    "trainer.log_every_steps",
    "trainer.keep_checkpoints",
    "trainer.clip_norm",
    "trainer.spike_factor",
    "trainer.skip_spikes",
    "trainer.activation_checkpointing",
    "trainer.early_stopping_patience",
)
"""Groups and keys of training, fixed for a stage that uses a trained run."""

OF_BUNDLE = ("strategy", "knowledge")
"""Groups that are fixed too where a run was exported: its model computes with them."""

OF_SPLITS = ("folds", "fold")
"""Keys that divide the documents: with others, some that were trained on or selected by would be scored."""

OF_HELD_OUT = ("data_seed", "data.max_documents")
"""Keys by which documents are held out of training documents; generated ones are drawn for each split instead."""

SCORED_FILES = ("data.validation_file", "data.test_file", "data", "data.path", "input")
"""Keys that name other documents to be scored."""

OPEN = ("trainer", "scheduler", "optimizer.lr", "tracking")
"""Groups and keys that a resumed run may change: they take effect from there on, as its report notes."""

FIXED = ("trainer.tokens_per_step",)
"""Keys below ``OPEN`` that are fixed nevertheless: the steps of an epoch depend on it."""

OPEN_IN_SWEEP = ("sweep.n_trials", "sweep.timeout", "sweep.workers", "sweep.smallest", "sweep.storage", "margin")
"""Keys that a resumed sweep may change: how far it goes, not what it searches.

Its storage may have a password, which is not kept and is given again; the stage checks that it is the same.
"""

CHECKPOINTS = ("checkpoints/step-*", "stages/*/checkpoints/step-*")
"""Patterns of the checkpoints of a run, and of one in stages."""

_UNKNOWN = object()


def open_overrides(origin: Start, asked: Sequence[Override]) -> list[Override]:
    """Return ``asked`` without overrides that only repeat the run's, which would reset other keys of the same group.

    Refuses changes that would have no effect on the run, or would make its figures wrong. A run without a checkpoint
    restarts when it is resumed, so that nothing is fixed.

    Args:
        origin: The run that the command starts from.
        asked: The user's overrides, with numbers of groups rewritten.

    Raises:
        UserError: names the first fixed key that the user wants to change.
    """
    is_sweep = origin.stage == "sweep"
    checkpoints = (place for pattern in CHECKPOINTS for place in origin.folder.glob(pattern))
    if origin.key == "resume" and not is_sweep and next(checkpoints, None) is None:
        return list(asked)
    kept = []
    for override in asked:
        key = override.key_or_group
        if key == origin.key or key == "hydra" or override.is_hydra_override() or not _is_fixed(origin, key, asked):
            kept.append(override)
            continue
        before = value_in(origin, override)
        if override.is_delete() or override.is_sweep_override() or before != override.value():
            raise UserError(sentence(origin, override, before))
    return kept


def _is_fixed(origin: Start, key: str, asked: Sequence[Override]) -> bool:
    if origin.key != "resume":
        held_out = origin.choices.get("data") != "generated" and not any(
            other.key_or_group in SCORED_FILES for other in asked
        )
        exported = OF_BUNDLE if origin.stage == "export" else ()
        return _within(key, (*OF_TRAINING, *exported, *OF_SPLITS, *(OF_HELD_OUT if held_out else ())))
    if origin.stage == "sweep":
        return not _within(key, OPEN_IN_SWEEP)
    return _within(key, FIXED) or not _within(key, OPEN)


def _within(key: str, prefixes: Sequence[str]) -> bool:
    return any(dotted(key) == prefix or dotted(key).startswith(f"{prefix}.") for prefix in prefixes)


def value_in(origin: Start, override: Override) -> Any:
    """Return the run's value of a key; paths are compared as absolute paths."""
    key = override.key_or_group
    if key == "context":  # a length without a preset is recorded under the name of another preset
        return str((origin.config.get("context") or {}).get("length"))
    if key in catalogue.groups():
        return origin.choices.get(key)
    repeated = [one for one in origin.overrides if one.key_or_group == key and not one.is_delete()]
    if repeated and origin.absolute(override).value() == repeated[-1].value():
        return override.value()
    value: Any = origin.config
    for name in dotted(key).split("."):
        value = value.get(name, _UNKNOWN) if isinstance(value, dict) else _UNKNOWN
    return value


def sentence(origin: Start, override: Override, before: Any) -> str:
    """Return why the user's ``override`` of a key that was ``before`` is refused."""
    key, line = override.key_or_group, str(override.input_line)
    what = "sweep" if origin.stage == "sweep" else "run"
    known = before is not _UNKNOWN and MASK not in str(before)
    shown = f"{key}={'null' if before is None else before}" if known else f"another {key}"
    if origin.key == "start":
        return (
            f"{line} cannot be changed: start= begins with the weights of the run in {origin.folder}, which has "
            f"{shown}; leave {key}= out."
        )
    if origin.stage == "export":
        return f"{line} cannot be changed: the bundle {origin.folder} was exported with {shown}; leave {key}= out."
    if origin.key != "resume":
        return f"{line} cannot be changed: the run in {origin.folder} was trained with {shown}; leave {key}= out."
    return (
        f"{line} cannot be changed: resume= continues the {what} in {origin.folder}, which has {shown}; leave {key}= "
        f"out, or start another {what}."
    )
