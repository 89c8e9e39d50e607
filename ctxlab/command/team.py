"""One run on several processes: the first one reads the command line and claims the directory, the others follow it."""

import contextlib
import importlib
import json
import os
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ctxlab.command.explain import explain
from ctxlab.command.overrides import parse
from ctxlab.config import own_options
from ctxlab.config.quoting import quoted
from ctxlab.config.redact import redact
from ctxlab.core import invocation, run_state, world
from ctxlab.core.errors import Interrupted, ProcessLost, Reported, UserError

STAGES = ("train", "eval", "predict", "verify")
"""Stages that several processes work on together."""

RESUMED = "train"
"""The stage that continues after torchrun's restart; the others begin again."""

OF_THE_START = (
    "hydra.run.dir", "hydra.mode", "hydra/mode", "hydra/launcher", "hydra.launcher", "hydra/sweeper", "hydra.sweeper",
    "hydra.sweep", own_options.SEARCH_PATH,
)  # fmt: skip
"""Keys of Hydra that say how a job is started, not what it does, or that are passed on by themselves."""

RANKS = "ctxlab.runtime.ranks"
ELASTIC = "ctxlab.runtime.elastic"
"""Modules with torch, which the command line does without otherwise."""

FOLLOWERS_WAIT = 5.0
"""Seconds for which a process that fails waits for the first one to say the same."""

MULTIRUN = ("-m", "--multirun")

Lead = Callable[[str, Sequence[str]], int]
Follow = Callable[[Mapping[str, Any], Path], None]


class Team:
    """Tells the other processes what to work on, once."""

    def __init__(self) -> None:
        self._waiting = False

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """The others wait until the end of the block; if nothing was told by then, there is nothing to work on."""
        self._waiting = True
        try:
            yield
        finally:
            if self._waiting:
                with contextlib.suppress(ProcessLost):
                    self._tell(None)

    def tell(self, config: DictConfig, run_dir: Path) -> None:
        """Send the configuration and the claimed directory to the processes that wait, if any do."""
        if self._waiting:
            importlib.import_module(RANKS).remember(str(run_dir))
            values = OmegaConf.to_container(config, resolve=True)
            self._tell({"config": values, "run_dir": str(run_dir)})

    def _tell(self, work: Mapping[str, Any] | None) -> None:
        self._waiting = False
        importlib.import_module(RANKS).current().told(work)


TEAM = Team()


def launch(stage: str, words: Sequence[str], lead: Lead, follow: Follow) -> int:
    """Run a stage as one of several processes that torchrun has started; returns the exit status.

    Args:
        stage: The stage.
        words: Words after it.
        lead: Runs the command line in the first process.
        follow: Runs the stage of a configuration in the others.

    Raises:
        UserError: The stage is for one process, or the processes have different command lines.
    """
    ranks = importlib.import_module(RANKS)
    own = ranks.join()
    try:
        problem = _problem(stage, words, own.table([float(zlib.crc32("\0".join([stage, *words]).encode()))]))
        if problem and own.leads:
            raise UserError(problem)
        if problem:
            return 2
        before = ranks.remembered() if world.restarts() and stage == RESUMED else ""
        if not own.leads:
            return _follow(own.told(None), follow)
        with TEAM.waiting():
            return lead(stage, [f"resume={before}"] if before else words)
    finally:
        ranks.leave()


def _problem(stage: str, words: Sequence[str], sums: Any) -> str:
    """Return why the processes cannot work on one run, or an empty text."""
    size = world.size()
    if stage not in STAGES:
        return (
            f"{size} processes were started (WORLD_SIZE), but ctxlab {stage} uses one: start it without torchrun or "
            "accelerate launch."
        )
    if any(word in MULTIRUN for word in words):
        return (
            f"{size} processes were started (WORLD_SIZE), each run of -m needs its own: use trainer.processes={size}."
        )
    if len(set(sums[:, 0].tolist())) > 1:
        return f"The {size} processes were started with different command lines: give all of them the same."
    return ""


def _follow(work: Mapping[str, Any] | None, follow: Follow) -> int:
    """Run the stage silently; what fails in the first process too is told by it alone."""
    if work is None:
        return 2
    run_dir = Path(work["run_dir"])
    try:
        with (
            Path(os.devnull).open("w") as nowhere,
            contextlib.redirect_stdout(nowhere),
            contextlib.redirect_stderr(nowhere),
        ):
            follow(work["config"], run_dir)
    except (Interrupted, ProcessLost, Exception) as error:
        explanation = explain(error)
        is_alone = not isinstance(error, (Interrupted, ProcessLost)) and not _is_told(explanation.sentence, run_dir)
        if is_alone:
            sys.stderr.write(f"Process {world.rank()}: {explanation.sentence}\n")
        return explanation.status
    return 0


def _is_told(sentence: str, run_dir: Path) -> bool:
    """Return whether the first process has failed with this sentence too, or has withdrawn its directory."""
    deadline = time.monotonic() + FOLLOWERS_WAIT
    while time.monotonic() < deadline:
        if not run_dir.exists():
            return True
        with contextlib.suppress(OSError, ValueError):
            told = json.loads((run_dir / run_state.FAILURE).read_text(encoding="utf-8"))
            return bool(told["error"] == sentence)
        time.sleep(0.1)
    return False


def check_launcher(config: DictConfig) -> None:
    """Refuse a launcher that would start every job several times in one directory.

    Raises:
        UserError: ``hydra.launcher`` asks for several tasks or nodes a job.
    """
    for key, instead in (("tasks_per_node", "use trainer.processes={}"), ("nodes", "start torchrun on {} nodes")):
        count = OmegaConf.select(config, f"hydra.launcher.{key}", default=1)
        if isinstance(count, int) and count > 1:
            raise UserError(
                f"hydra.launcher.{key}={count} starts every job {count} times in one directory: set it to 1, and "
                f"{instead.format(count)}."
            )


def wants_more(config: DictConfig) -> bool:
    """Return whether the run is to be started on several processes by this one.

    Raises:
        UserError: The processes that are there are not those of the configuration.
    """
    wanted, there = int(OmegaConf.select(config, "trainer.processes", default=1)), world.size()
    if there > 1 and wanted not in (1, there):
        raise UserError(
            f"trainer.processes={wanted}, but torchrun has started {there}: leave out trainer.processes, or torchrun."
        )
    return config.stage in STAGES and wanted > 1 and there == 1


def start(config: DictConfig, run_dir: Path) -> None:
    """Start the processes of a run whose directory is prepared, and wait for their end.

    Raises:
        Reported: One of them has failed and said why.
        Interrupted: A signal has stopped them.
    """
    hydra = HydraConfig.get()
    own = ["ctxlab", str(config.stage), *redact(list(hydra.overrides.task))]
    command = own if hydra.mode == RunMode.MULTIRUN else invocation.command() or own
    with invocation.recorded_command(command), invocation.handing(run_dir):
        words = [config.stage, *_words(hydra, run_dir)]
        status = importlib.import_module(ELASTIC).run(words, int(config.trainer.processes))
    if status:
        raise Reported(status)


def _words(hydra: HydraConf, run_dir: Path) -> list[str]:
    """Return flags and overrides by which another process composes the configuration of this job."""
    kept = [one for one in parse(hydra.overrides.hydra) if not _is_of_the_start(one.key_or_group)]
    return [
        *own_options.words(own_options.folders(hydra.runtime.config_sources)),
        *hydra.overrides.task,
        *(str(one.input_line) for one in kept),
        f"hydra.run.dir={quoted(str(run_dir))}",
    ]


def _is_of_the_start(key: str) -> bool:
    return any(key == one or key.startswith(f"{one}.") for one in OF_THE_START)
