"""A sweep before its trials run: its space, its study, and what all trials share."""

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig

from ctxlab.config import own_options
from ctxlab.config.keys.comparing import SweepOptions, SweepSettings
from ctxlab.config.keys.run import TrainerConfig
from ctxlab.config.redact import MASK, redact
from ctxlab.core.errors import UserError
from ctxlab.core.files import write_json, write_text
from ctxlab.data.splits import load_documents
from ctxlab.sweeping import command, samplers
from ctxlab.sweeping.objectives import SPLIT, Objective, read_objectives
from ctxlab.sweeping.samplers import Proposer
from ctxlab.sweeping.space import Space, read_space
from ctxlab.sweeping.study import Place, SharedStudy
from ctxlab.tracking.console import console
from ctxlab.workbench.parts import Origin, Parts

COMMAND = "command.json"
"""File with the command, in the run directory of a sweep."""

FOLDS = 4
"""Number of folds if the data has no test split: one chooses, the others are reported."""

NUM_TRIALS = 20
"""Trials of a sweep that says no number and is not a grid."""

IN_PLACE = ("data.train_file", "data.validation_file", "data.test_file", "trainer.device", "trainer.num_workers")
"""Shared keys that may differ between machines."""


@dataclass(frozen=True, eq=False)
class Session:
    """A sweep whose study is open."""

    parts: Parts
    settings: SweepSettings
    margin: float
    space: Space
    objectives: Sequence[Objective]
    num_trials: int
    study: SharedStudy
    flags: Sequence[str]
    """Flags of Hydra for the trials."""
    shared: Sequence[str]
    """Overrides that all trials share."""
    fixed: Mapping[str, int]
    """Seeds and folds of all trials."""
    command: Sequence[str]
    """With which the sweep began."""
    num_threads: int
    """Of each trial."""
    notes: Sequence[str]

    @property
    def folder(self) -> Path:
        """Run directory of the sweep."""
        return self.parts.origin.run_dir


def prepare(parts: Parts) -> Session:
    """Read the space and open the study.

    Raises:
        UserError: The sweep cannot be run as configured.
    """
    options: SweepOptions = parts.options
    settings, folder = options.sweep, parts.origin.run_dir
    space, _ = read_space(settings.space, fallback=folder / command.SPACE)
    objectives = read_objectives(settings.objectives, parts.task)
    samplers.check(settings.sampler, space, len(objectives))
    _check_smallest(settings, space, objectives, parts)
    if settings.prune:
        _check_pruning(space, objectives, parts.trainer)
    found = HydraConfig.get()
    shared = command.shared(found.overrides.task)
    place = Place.of(folder, settings.storage, settings.study or parts.task.name)
    study = SharedStudy(place, space, Proposer(settings.sampler, space, parts.seed), prunes=settings.prune)
    fixed, notes = _fixed(parts)
    if not any(word.startswith("tracking=") for word in shared):
        shared = [*shared, f"tracking={found.runtime.choices['tracking']}"]
    session = Session(
        parts=parts,
        settings=settings,
        margin=options.margin,
        space=space,
        objectives=objectives,
        num_trials=_num_trials(settings, space),
        study=study,
        flags=own_options.words(own_options.folders(found.runtime.config_sources)),
        shared=shared,
        fixed=fixed,
        command=_command(parts.origin, place),
        num_threads=max(torch.get_num_threads() // settings.workers, 1),
        notes=notes,
    )
    study.open(_definition(session), [one.direction for one in objectives])
    _keep(session, place)
    return session


def _definition(session: Session) -> dict[str, Any]:
    """Return what a study is, so that another one is never continued by mistake; without words that have a secret."""
    shared = redact([word for word in session.shared if not word.startswith(IN_PLACE)])
    return {
        "task": session.parts.task.name,
        "space": session.space.form,
        "sampler": session.settings.sampler,
        "objectives": {one.name: one.direction for one in session.objectives},
        "prune": session.settings.prune,
        "overrides": sorted(word for word in shared if MASK not in word),
        **session.fixed,
    }


def _num_trials(settings: SweepSettings, space: Space) -> int:
    wanted = settings.n_trials or (space.size if settings.sampler == "grid" else NUM_TRIALS)
    assert wanted is not None
    return wanted if space.size is None else min(wanted, space.size)


def _check_smallest(settings: SweepSettings, space: Space, objectives: Sequence[Objective], parts: Parts) -> None:
    name = settings.smallest
    if name is None:
        return
    found = next((one for one in space.parameters if one.name == name), None)
    if found is None or found.size is None:
        raise UserError(
            f"sweep.smallest={name} needs {name} in the space, with a list of values: add {name}: {{choice: […]}}."
        )
    values = [found.value(found.at(index)) for index in range(found.size)]
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        raise UserError(f"sweep.smallest={name} needs numbers, and the space has {values}: name another key.")
    if settings.prune:
        raise UserError("sweep.smallest compares trials that were trained to their end: leave out sweep.prune.")
    if [one.name for one in objectives] != [parts.task.primary_metric]:
        raise UserError("sweep.smallest compares the primary metric: leave out sweep.objectives.")


def _check_pruning(space: Space, objectives: Sequence[Objective], trainer: TrainerConfig) -> None:
    """Refuse pruning where trials have no equal steps to be compared at."""
    if len(objectives) > 1:
        raise UserError(
            "sweep.prune=true compares trials by one figure, and there are several objectives: leave one of them out."
        )
    rungs = ("trainer.max_steps", "trainer.eval_every_steps")
    if None in (trainer.max_steps, trainer.eval_every_steps) or set(rungs) & set(space.names):
        raise UserError(
            "sweep.prune=true compares trials at equal steps: give trainer.max_steps and trainer.eval_every_steps, "
            "the same for all trials."
        )


def _fixed(parts: Parts) -> tuple[dict[str, int], list[str]]:
    """Return seeds and folds of all trials, and notes on the documents that choose."""
    fixed = {"seed": parts.seed, "data_seed": parts.data_seed}
    if parts.hold_out is not None:
        return fixed | {"folds": parts.hold_out.num_folds, "fold": parts.hold_out.fold}, []
    splits = load_documents(parts.data, copy.deepcopy(parts.task), parts.data_seed)
    num, has_test = len(splits.validation), bool(splits.test)
    if not num:
        raise UserError("There are no documents to choose by: give data.validation_file=<file>.")
    if has_test:
        return fixed, []
    if num < 2:
        return fixed, [
            "The data has no test split and one validation document: the best trial is reported on the document that "
            "chose it, and looks better than it is."
        ]
    folds = min(FOLDS, num)
    return fixed | {"folds": folds, "fold": 0}, [
        f"The data has no test split: one of {folds} folds of the {num} validation documents chooses, the others are "
        "reported."
    ]


def _command(origin: Origin, place: Place) -> Sequence[str]:
    """Return the command that started the sweep.

    Raises:
        UserError: The sweep is resumed without its storage, whose password is not kept.
    """
    path = origin.run_dir / COMMAND
    if not path.is_file():
        return origin.command
    recorded = json.loads(path.read_text(encoding="utf-8"))
    if recorded["storage"] != place.title:
        raise UserError(
            f"The study of this sweep is in {recorded['storage']} and not in {place.title}: give sweep.storage= as "
            "when it was started; a password is not kept."
        )
    words: list[str] = recorded["command"]
    return words


def _keep(session: Session, place: Place) -> None:
    """Keep command and space of an opened study, so that the sweep can be continued without its file."""
    if not (session.folder / COMMAND).is_file():
        write_json(session.folder / COMMAND, {"command": list(session.command), "storage": place.title})
    path = session.folder / command.SPACE
    if not path.is_file():
        lines = [f"{name}: {json.dumps(form, ensure_ascii=False)}\n" for name, form in session.space.form.items()]
        write_text(path, f"# The space of this sweep\n{''.join(lines)}")


def announce(session: Session) -> None:
    """Print what is searched, how, and by what trials are chosen."""
    screen, size = console(), session.space.size
    points = "any number of points" if size is None else f"{size:,} points"
    for name, form in session.space.form.items():
        screen.print(f"{name}: {', '.join(f'{key} {value}' for key, value in form.items())}", soft_wrap=True)
    objectives = ", ".join(f"{one.direction} {one.name}" for one in session.objectives)
    threads = "1 thread" if session.num_threads == 1 else f"{session.num_threads} threads"
    at_once = "one at a time" if session.settings.workers == 1 else f"{session.settings.workers} at a time"
    screen.print(
        f"{session.num_trials} trials of {points} by {session.settings.sampler}, {at_once} on {threads} each: "
        f"{objectives} on the {SPLIT} split. All is kept in {session.folder}",
        soft_wrap=True,
    )
    if session.settings.n_trials and size is not None and session.settings.n_trials > size:
        screen.print(f"sweep.n_trials={session.settings.n_trials} is more than there are points: each is tried once.")
    for note in session.notes:
        screen.print(f"note: {note}", soft_wrap=True)
