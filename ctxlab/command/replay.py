"""Runs as starting points: the overrides of an earlier run are put before the user's.

The composition is then the run's plus the user's changes, so that ``--cfg`` and directory names are correct too.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override

from ctxlab.command.overrides import dotted, parse, plain_text
from ctxlab.config import catalogue, own_options
from ctxlab.config.quoting import quoted
from ctxlab.config.redact import MASK
from ctxlab.core import bundle
from ctxlab.core.errors import UserError

STARTS = ("resume", "run")
"""Keys that name a run: the first for stages that resume it, the second for those that start from it."""

SEVERAL = "runs"
"""Key that names several runs; the first of them is the one that the command starts from."""

GIVEN = "given"
"""Key in which a command notes what was given on its command line, for all of the runs."""

OF_BUNDLES = ("eval", "predict", "serve", "monitor")
"""Stages that read the bundle of an export as they read a run."""

OF_SEVERAL = ("eval", "soup")
"""Stages that have it."""

TRAINED = ("train", "soup", "compress")
"""Stages whose runs have a model that others may start from."""

CHECKPOINTS = "checkpoints"
"""Folder of a run with its checkpoints, each of which can be named among several runs."""

STAGES = "stages.json"
"""File of a run in stages, by which its directory is known."""

RESUMED = {"train": "training run", "compare": "comparison", "sweep": "sweep"}
"""Stages that can resume a run of their own → what the run is called."""

OF_SOUP = (SEVERAL, GIVEN, "method", "checkpoint")
"""Keys of ``ctxlab soup`` itself, which a command that starts from a soup does not have."""

OF_COMPRESSION = ("compression", "healing", "sample_documents")
"""Keys and groups of ``ctxlab compress`` itself, which a command that starts from a compressed run does not have."""

OF_ITS_TRAINING = (
    "tuning", "averaging", "objective", "continual", "augment", "trainer.max_steps", "trainer.max_epochs",
    "trainer.max_seconds", "trainer.max_tokens", "trainer.max_flops", "trainer.eval_every_steps",
    "trainer.early_stopping_patience",
)  # fmt: skip
"""Keys and groups of a run that ``ctxlab compress`` leaves behind: what is compressed are its weights, merged with
adapters, and healing has an objective and a budget of its own."""

BEGINNING = ("start", "start_checkpoint")
"""Keys of the run whose weights a new one begins with; of no effect on a run that has a checkpoint of its own."""

FILES = (
    "data.train_file",
    "data.validation_file",
    "data.test_file",
    "start",
    "knowledge.file",
    "objective.run",
    "augment.thesaurus",
    "augment.there",
    "augment.back",
    "perturb.thesaurus",
)
"""Keys that are always paths."""

OF_PROCESSES = ("trainer.processes", "trainer.sharding")
"""Keys that say on which processes a command runs."""

PERHAPS_FILES = ("data.path", "model.path", "sweep.space")
"""Keys that are paths if the path exists, and hub names otherwise."""


@dataclass(frozen=True, slots=True)
class Start:
    """An earlier run."""

    key: str
    """``run``, ``runs``, ``resume`` or ``start``."""
    stage: str
    """Stage of the run."""
    folder: Path
    """Absolute path of the run directory."""
    overrides: list[Override]
    """Overrides of the run, with absolute paths."""
    choices: dict[str, Any]
    """Group → option of the run's composition."""
    config: dict[str, Any]
    """Composed configuration of the run, secrets masked and interpolations unresolved."""
    named: Sequence[Path] = ()
    """Absolute paths of all runs or checkpoints that ``runs`` names."""
    own_options: Sequence[str] = ()
    """Folders of the user's own options that the run was composed with."""

    def absolute(self, override: Override) -> Override:
        """Return ``override`` with its paths relative to the working directory made absolute."""
        return _absolute(override, Path.cwd())


def start(stage: str, overrides: Sequence[Override]) -> Start | None:
    """Return the run that ``overrides`` start from, or None.

    Raises:
        UserError: if the stage has no such key, or the value is not the directory of a suitable run.
    """
    keys = (*STARTS, SEVERAL) if stage in OF_SEVERAL else STARTS
    named = [override for override in overrides if override.key_or_group in keys and not override.is_delete()]
    if not named:
        return None
    key = named[-1].key_or_group
    if stage == "soup" and key != SEVERAL:
        raise UserError(f"ctxlab soup has no {key}=: give runs=[<run directory>,<run directory>].")
    if len({override.key_or_group for override in named}) > 1:
        raise UserError("run= and runs= name different things to start from: give one of them.")
    if (stage in RESUMED) != (key == "resume"):
        other = "resume=<run directory>" if stage in RESUMED else "run=<run directory>"
        raise UserError(f"ctxlab {stage} has no {key}=: give {other}.")
    if key == SEVERAL and not named[-1].is_sweep_override():
        return _first(named[-1])
    text = plain_text(named[-1])
    if text is None:
        if named[-1].is_sweep_override():
            raise UserError(f"{named[-1].input_line} names several runs: give one at a time.")
        return None
    folder = Path(text).expanduser().absolute()
    if key == "run" and (exported := bundle.here(folder)):
        return _of_bundle(stage, exported)
    found = recorded(key, f"{key}={text}", folder, stage if key == "resume" else "train")
    if stage != "compress":
        return found
    return replace(found, overrides=[one for one in found.overrides if not _within(one.key_or_group, OF_ITS_TRAINING)])


def _of_bundle(stage: str, folder: Path) -> Start:
    """Return the run that was exported to a bundle, as that describes it.

    Raises:
        UserError: The stage needs the run itself, or the bundle is damaged.
    """
    if stage not in OF_BUNDLES:
        raise UserError(
            f"run={folder} is the bundle of an export, which ctxlab eval, predict, serve and monitor read: "
            f"give ctxlab {stage} the training run."
        )
    found = bundle.read_settings(folder)
    return Start(
        key="run", stage="export", folder=folder, overrides=parse(found.overrides), choices=found.choices,
        config=found.config,
    )  # fmt: skip


def _first(override: Override) -> Start | None:
    """Return the first of several runs, after checking that all of them are runs.

    Raises:
        UserError: The value is not a list of runs, or names one twice.
    """
    value = override.value()
    if value is None:
        return None
    if not isinstance(value, list) or not value:
        raise UserError(f"{override.input_line} is not a list: give runs=[<run directory>,<run directory>].")
    paths = [Path(str(one)).expanduser().absolute() for one in value]
    twice = next((path for place, path in enumerate(paths) if path in paths[:place]), None)
    if twice is not None:
        raise UserError(f"runs= names {twice} twice: give each run once.")
    starts = [recorded(SEVERAL, f"runs={one}", _run_of(path), "train") for one, path in zip(value, paths, strict=True)]
    return replace(starts[0], named=paths)


def _run_of(path: Path) -> Path:
    """Return the run directory of a path, which may be that of one of its checkpoints."""
    return path.parent.parent if path.parent.name == CHECKPOINTS else path


def recorded(key: str, named: str, folder: Path, stage: str) -> Start:
    """Read the run of ``stage`` in ``folder``.

    Args:
        key: Key that names it.
        named: The override, for messages.
        folder: Run directory.
        stage: Stage that the run must be of.

    Raises:
        UserError: It is not the directory of such a run.
    """
    if not folder.is_dir():
        raise UserError(f"{named} does not exist: give the directory of a {RESUMED[stage]}, such as {_example(stage)}.")
    _refuse_parts(key, named, folder)
    hydra = _mapping(_read(folder / ".hydra" / "hydra.yaml", named, dict).get("hydra"))
    runtime, found = _mapping(hydra.get("runtime")), _mapping(hydra.get("job")).get("config_name")
    if found not in (TRAINED if key != "resume" else (stage,)):
        raise UserError(f"{named} is a run of ctxlab {found}: give the directory of a {RESUMED[stage]}.")
    if key == "resume":
        _refuse_links(folder, named)
    words = _read(folder / ".hydra" / "overrides.yaml", named, list)
    cwd = Path(str(runtime.get("cwd", ".")))
    overrides = parse(str(word) for word in words)
    return Start(
        key=key,
        stage=stage,
        folder=folder,
        overrides=[_absolute(override, cwd) for override in overrides if _replayable(override, key)],
        choices=_mapping(runtime.get("choices")),
        config=_read(folder / ".hydra" / "config.yaml", named, dict),
        own_options=_own_options(runtime),
    )


def _own_options(runtime: dict[str, Any]) -> list[str]:
    """Return the folders of a run's own options."""
    recorded = runtime.get("config_sources")
    sources = [one for one in recorded if isinstance(one, dict)] if isinstance(recorded, list) else []
    return [one for one in own_options.folders(sources) if Path(one).is_absolute()]


def _refuse_parts(key: str, named: str, folder: Path) -> None:
    """Refuse to continue a single stage of a run in stages, and to use all of these as if they were one model.

    Raises:
        UserError: Names what to give instead.
    """
    if key == "resume" and (folder.parent.parent / STAGES).is_file() and folder.parent.name == "stages":
        raise UserError(f"{named} is a stage of a run: continue that with resume={folder.parent.parent}.")
    if key != "resume" and (folder / STAGES).is_file():
        raise UserError(f"{named} is a run in stages: give the directory of one, such as {folder / 'stages' / '1'}.")


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _refuse_links(folder: Path, named: str) -> None:
    """Refuse to continue a run with a link to somewhere else, through which its files would be written.

    Raises:
        UserError: Names the link.
    """
    root = folder.resolve()
    for place, folders, files in os.walk(folder):
        for path in (Path(place) / name for name in (*folders, *files)):
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                raise UserError(
                    f"{named} cannot be continued: {path} is a link out of it, through which other files would be "
                    "written; put in its place what it points to."
                )


def _read(path: Path, named: str, kind: type) -> Any:
    import yaml

    if not path.is_file():
        inside = sorted(entry.parent.parent.name for entry in path.parent.parent.glob("*/.hydra/overrides.yaml"))
        hint = (
            f"it contains several, name one such as {path.parent.parent / inside[0]}"
            if inside
            else f"{path} is missing"
        )
        raise UserError(f"{named} is not the directory of a run: {hint}.")
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8")) or kind()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{named} cannot be read: {path} is damaged.") from error
    if not isinstance(loaded, kind):
        raise UserError(f"{named} cannot be read: {path} is damaged.")
    return loaded


def _example(stage: str) -> str:
    found = sorted(Path(f"outputs/{stage}").glob("*/*/.hydra"), key=lambda path: path.stat().st_mtime)
    return str(found[-1].parent) if found else f"outputs/{stage}/<name>/<time>"


def _replayable(override: Override, start: str) -> bool:
    """Return whether an override may be replayed: not Hydra's own, which could call anything, no secrets, no runs.

    ``run=`` starts a command of another kind, which has its own processes.
    """
    key = override.key_or_group
    hydra = key == "hydra" or override.is_hydra_override()
    left_out = (*STARTS, *OF_SOUP, "stage", *((*OF_PROCESSES, *BEGINNING) if start != "resume" else ()))
    return (
        not hydra and key not in left_out and not _within(key, OF_COMPRESSION) and MASK not in str(override.input_line)
    )


def _within(key: str, names: Sequence[str]) -> bool:
    """Return whether ``key`` is one of ``names``, or below one."""
    return any(key == name or key.startswith(f"{name}.") for name in names)


def _absolute(override: Override, cwd: Path) -> Override:
    key = override.key_or_group
    if key not in FILES + PERHAPS_FILES or override.is_delete():
        return override
    value = override.value()
    paths = value if isinstance(value, list) else [value]
    resolved = [_resolve(path, cwd, always=key in FILES) for path in paths]
    if resolved == paths:
        return override
    text = ",".join(quoted(path) for path in resolved)
    line = f"{override.get_key_element()}={f'[{text}]' if isinstance(value, list) else text}"
    return parse([line])[0]


def _resolve(path: Any, cwd: Path, *, always: bool) -> Any:
    if not isinstance(path, str) or "://" in path or "${" in path or Path(path).is_absolute():
        return path
    return str(cwd / path) if always or (cwd / path).exists() else path


def superseded(recorded: Override, asked: Sequence[Override]) -> bool:
    """Return whether the user's overrides replace one of the run: the same key, or a group above it."""
    for override in asked:
        key = override.key_or_group
        if recorded.key_or_group == key:
            return True
        if dotted(recorded.key_or_group).startswith(dotted(key) + ".") and key in catalogue.groups():
            return True
    return False
