"""What an earlier run has settled: keys that a command which starts from it cannot change, only repeat."""

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
    "optimizer",
    "scheduler",
    "tuning",
    "objective",
    "experiment",
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
    "trainer.activation_checkpointing",
    "trainer.early_stopping_patience",
)
"""Groups and keys that are history to a stage which works with a trained run: its weights, and how they came about."""

OPEN = ("trainer", "scheduler", "optimizer.lr", "tracking")
"""Groups and keys that a resumed run may change: they take effect from there on, and its report says so."""

SETTLED = ("trainer.tokens_per_step",)
"""What is settled all the same: the steps of an epoch are counted in it."""

_UNKNOWN = object()


def open_overrides(origin: Start, asked: Sequence[Override]) -> list[Override]:
    """``asked`` without what only repeats the run, which must not replace what the run has below the same group.

    Refuses what would have no effect on the run that a command starts from, or would make its figures untrue. A run
    that came to no checkpoint begins anew when it is resumed, so that nothing is settled.

    Args:
        origin: The run.
        asked: The user's own overrides, numbers of groups rewritten.

    Raises:
        UserError: Naming the first key that is asked to be another than it was.
    """
    if origin.key == "resume" and not any((origin.folder / "checkpoints").glob("step-*")):
        return list(asked)
    kept = []
    for override in asked:
        key = override.key_or_group
        if key == origin.key or key == "hydra" or override.is_hydra_override() or not _is_settled(origin, key):
            kept.append(override)
            continue
        before = _recorded(origin, override)
        if override.is_delete() or override.is_sweep_override() or before != override.value():
            raise UserError(_sentence(origin, override, before))
    return kept


def _is_settled(origin: Start, key: str) -> bool:
    if origin.key == "run":
        return _within(key, OF_TRAINING)
    return _within(key, SETTLED) or not _within(key, OPEN)


def _within(key: str, prefixes: Sequence[str]) -> bool:
    return any(dotted(key) == prefix or dotted(key).startswith(f"{prefix}.") for prefix in prefixes)


def _recorded(origin: Start, override: Override) -> Any:
    """What the run has there; a path counts as the same from wherever it is named."""
    key = override.key_or_group
    if key == "context":  # a length without a preset stands under the name of another
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


def _sentence(origin: Start, override: Override, before: Any) -> str:
    key, line = override.key_or_group, str(override.input_line)
    known = before is not _UNKNOWN and MASK not in str(before)
    shown = f"{key}={'null' if before is None else before}" if known else f"another {key}"
    if origin.key == "run":
        return f"{line} cannot be changed: the run in {origin.folder} was trained with {shown}; leave {key}= out."
    return (
        f"{line} cannot be changed: resume= goes on with the run in {origin.folder}, which has {shown}; leave {key}= "
        "out, or begin another run."
    )
