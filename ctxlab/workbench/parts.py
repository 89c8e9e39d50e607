"""The typed parts of a run; no code below this module sees a configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ctxlab.config.build import build
from ctxlab.config.keys.run import TrainerConfig
from ctxlab.config.redact import redact
from ctxlab.config.schema import stage_options
from ctxlab.core import invocation
from ctxlab.core.augmentation import Augmentation
from ctxlab.core.continual import Continual
from ctxlab.core.data import Source
from ctxlab.core.knowledge import Knowledge
from ctxlab.core.model import ModelSource
from ctxlab.core.objective import Objective
from ctxlab.core.optim import Averaging, OptimizerFactory, Schedule, Tuning
from ctxlab.core.privacy import Privacy
from ctxlab.core.runtime import Runtime
from ctxlab.core.strategy import Attention, Curriculum, Memory, Positions, Reading, Strategy
from ctxlab.core.task import Task
from ctxlab.core.tracking import Tracker
from ctxlab.data.splits import HoldOut
from ctxlab.privacy.none import NoPrivacy
from ctxlab.training import checkpoint

MEMBERS = "members"
"""Key of a task with the tasks that it consists of."""


@dataclass(frozen=True, slots=True)
class Start:
    """An earlier training run from which a command starts."""

    folder: Path
    """Run directory."""
    checkpoint: str
    """``best``, ``latest`` or the name of a checkpoint."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Stage, command and run directory of a run."""

    stage: str
    run_dir: Path
    command: Sequence[str]
    """Words of the command line as typed; for a job of a multirun those that would run it alone."""
    group: str
    """Name of the multirun that the run belongs to; empty for a single run."""
    config: Mapping[str, Any]
    """The composed configuration, resolved and redacted: for trackers and reports, never for decisions."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """All parts of a run as configured; nothing below ``make_parts`` sees a configuration.

    Opening a workbench only changes copies of task and strategy, so that the same ``Parts`` may be opened repeatedly.
    """

    origin: Origin
    task: Task
    model: ModelSource
    strategy: Strategy
    data: Source
    optimizer: OptimizerFactory
    schedule: Schedule
    tuning: Tuning
    averaging: Averaging
    objective: Objective
    continual: Continual
    augment: Augmentation
    """Changes training documents."""
    knowledge: Knowledge
    tracker: Tracker
    trainer: TrainerConfig
    length: int
    """Context length in tokens."""
    seed: int
    data_seed: int
    """Seed of splits and generated documents."""
    init_seed: int
    """Seed of the weights that begin at random."""
    hold_out: HoldOut | None
    start: Start | None
    """Run whose checkpoint is continued or scored."""
    weights: Start | None
    """Run with whose weights training begins; of no effect once the run has a checkpoint of its own."""
    options: Any
    """Options of this stage only, an instance of its class in ``config.schema.OPTIONS``; None if it has none."""
    perturb: Augmentation | None = None
    """Perturbs scored documents; None for a stage that does not."""
    runtime: Runtime | None = None
    """What computes the outputs of windows; None for a stage that only uses training runs."""
    privacy: Privacy = field(default_factory=NoPrivacy)
    """Replaces what is personal in documents that are answered."""


def make_parts(cfg: DictConfig, run_dir: Path) -> Parts:
    """Build the parts that a composed configuration names; called once per run, inside Hydra's job.

    Raises:
        UserError: A target, key or value is invalid; names it and a valid one.
    """
    trainer = OmegaConf.to_object(cfg.trainer)
    assert isinstance(trainer, TrainerConfig)
    return Parts(
        origin=_origin(cfg, run_dir),
        task=make_task(cfg.task),
        model=build(cfg.model, ModelSource),
        strategy=make_strategy(cfg.strategy),
        data=build(cfg.data, Source),
        optimizer=build(cfg.optimizer, OptimizerFactory),
        schedule=build(cfg.scheduler, Schedule),
        tuning=build(cfg.tuning, Tuning),
        averaging=build(cfg.averaging, Averaging),
        objective=build(cfg.objective, Objective),
        continual=build(cfg.continual, Continual),
        augment=build(cfg.augment, Augmentation),
        knowledge=build(cfg.knowledge, Knowledge),
        tracker=build(cfg.tracking, Tracker),
        trainer=trainer,
        length=cfg.context.length,
        seed=cfg.seed,
        data_seed=cfg.data_seed,
        init_seed=cfg.init_seed,
        hold_out=None if cfg.folds is None else HoldOut(cfg.folds, cfg.fold),
        start=_start(cfg),
        weights=Start(Path(cfg.start), cfg.start_checkpoint) if cfg.start else None,
        options=stage_options(cfg),
        perturb=build(cfg.perturb, Augmentation) if "perturb" in cfg else None,
        runtime=build(cfg.runtime, Runtime) if "runtime" in cfg else None,
        privacy=build(cfg.privacy, Privacy) if "privacy" in cfg else NoPrivacy(),
    )


def make_task(node: DictConfig) -> Task:
    """Build a task, and first its members where it has some."""
    if not isinstance(node, DictConfig) or MEMBERS not in node:
        return build(node, Task)
    return build(node, Task, members={str(name): build(node[MEMBERS][name], Task) for name in node[MEMBERS]})


def make_strategy(node: DictConfig) -> Strategy:
    """Build a strategy from its five parts."""
    return Strategy(
        name=node.name,
        reading=build(node.reading, Reading),
        positions=build(node.positions, Positions),
        attention=build(node.attention, Attention),
        memory=build(node.memory, Memory),
        curriculum=build(node.curriculum, Curriculum),
    )


def _origin(cfg: DictConfig, run_dir: Path) -> Origin:
    values = redact(OmegaConf.to_container(cfg, resolve=True))
    if not HydraConfig.initialized():  # composed from Python: no Hydra job and no command line
        return Origin(stage=cfg.stage, run_dir=run_dir, command=("ctxlab", cfg.stage), group="", config=values)
    hydra = HydraConfig.get()
    own = ["ctxlab", cfg.stage, *redact(list(hydra.overrides.task))]
    if hydra.mode == RunMode.MULTIRUN:
        return Origin(stage=cfg.stage, run_dir=run_dir, command=own, group=Path(hydra.sweep.dir).name, config=values)
    return Origin(stage=cfg.stage, run_dir=run_dir, command=invocation.command() or own, group="", config=values)


def _start(cfg: DictConfig) -> Start | None:
    if cfg.stage == "train":
        return Start(Path(cfg.resume), "latest") if cfg.resume else None
    if cfg.get("runs"):  # the first of several runs
        return start_of(Path(cfg.runs[0]), cfg.checkpoint)
    return Start(Path(cfg.run), cfg.checkpoint) if "run" in cfg and cfg.run else None


def start_of(path: Path, pointer: str) -> Start:
    """Return the start that a path names: a run, of which ``pointer`` says the checkpoint, or a checkpoint itself."""
    if path.parent.name == checkpoint.FOLDER:
        return Start(path.parent.parent, path.name)
    return Start(path, pointer)
