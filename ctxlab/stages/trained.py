"""A finished run as the starting point of a stage: its checkpoint, task and labels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from ctxlab.config.build import build
from ctxlab.core.errors import UserError
from ctxlab.core.task import Task
from ctxlab.models.checkpointed import Checkpointed
from ctxlab.stages.assemble import Workbench, assemble
from ctxlab.training import checkpoint
from ctxlab.training.loop import read_state_file


@dataclass(frozen=True, eq=False)
class Trained:
    """A checkpoint on the workbench."""

    bench: Workbench
    folder: Path
    state: dict[str, Any]
    """``state`` of the checkpoint's state.json."""


def load_trained(cfg: DictConfig) -> Trained:
    """The checkpoint that ``cfg.run`` and ``cfg.checkpoint`` name, under the strategy and context of ``cfg``.

    Raises:
        UserError: There is no whole checkpoint, it is of another task, or the strategy does not fit it.
    """
    folder = checkpoint.find(Path(cfg.run), cfg.checkpoint)
    saved = read_state_file(folder)
    if saved["task"] != cfg.task.name:
        raise UserError(
            f"{folder} is a checkpoint of task {saved['task']}, not {cfg.task.name}; drop task={cfg.task.name}."
        )
    source = Checkpointed(str(folder))
    task: Task = build(cfg.task)
    task.labels = source.labels()
    bench = assemble(cfg, task, source)
    source.load_parts(bench.model)
    bench.accelerator.prepare_model(bench.model, evaluation_mode=True)
    return Trained(bench, folder, saved["state"])
