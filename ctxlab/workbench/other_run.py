"""Another training run that a command needs besides its own, found by its directory."""

from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from ctxlab.config import recorded
from ctxlab.config.build import build
from ctxlab.core.errors import UserError
from ctxlab.core.knowledge import Knowledge
from ctxlab.core.model import ModelSource
from ctxlab.core.optim import Tuning
from ctxlab.workbench.parts import Parts, Start, make_strategy, make_task

CONFIG = "config.yaml"
"""File of a run directory with its composed configuration."""

TRAINED = ("train", "soup", "compress")
"""Stages whose runs have a model of their own."""


def parts_of(key: str, named: str, parts: Parts) -> Parts:
    """Return the parts of another run, on the device and in the precision of this one; its best model is opened.

    Args:
        key: Key that names it, such as ``objective.run``, for messages.
        named: The directory as the user wrote it.
        parts: This run.

    Raises:
        UserError: It is not the directory of a training run, or a part of its configuration cannot be built.
    """
    folder = Path(named).expanduser()
    cfg = _config(key, named, folder)
    try:
        return replace(
            parts,
            task=make_task(cfg.task),
            model=build(cfg.model, ModelSource),
            strategy=make_strategy(cfg.strategy),
            tuning=build(cfg.tuning, Tuning),
            knowledge=build(cfg.knowledge, Knowledge),
            length=cfg.context.length,
            start=Start(folder, "best"),
        )
    except UserError as error:
        raise UserError(f"{key}={named} cannot be used, since in {folder / CONFIG}: {error}") from error
    except (OmegaConfBaseException, AttributeError) as error:
        raise UserError(f"{key}={named} cannot be read: {folder / CONFIG} is damaged.") from error


def _config(key: str, named: str, folder: Path) -> DictConfig:
    if not (folder / CONFIG).is_file():
        raise UserError(
            f"{key}={named} is not the directory of a run: give one that ctxlab train has made, such as "
            "outputs/train/<name>/<time>."
        )
    try:
        cfg = recorded.load(folder / CONFIG)
    except ValueError as error:
        raise UserError(f"{key}={named} cannot be read: {error}.") from error
    if cfg.get("stage") not in TRAINED:
        raise UserError(f"{key}={named} is no training run: give the directory of one.")
    return cfg
