"""From what the user wrote to what Hydra composes."""

from hydra.core.override_parser.types import Override

from ctxlab.command import axes, checks, numeric, settled, shots
from ctxlab.command.flags import Arguments
from ctxlab.command.implied import implied
from ctxlab.command.overrides import find, parse, quoted
from ctxlab.command.replay import Start, start, superseded
from ctxlab.core.errors import UserError


def is_multirun(arguments: Arguments) -> bool:
    """Whether several values of a key are several jobs."""
    return "--multirun" in arguments.names or any(
        word.lower() in ("hydra.mode=multirun", "hydra/mode=multirun") for word in arguments.overrides
    )


def rewrite(stage: str, arguments: Arguments) -> list[str]:
    """Overrides for Hydra: those of the run that is started from, groups that are implied, and the user's.

    Raises:
        UserError: for what cannot be meant.
    """
    written = parse(arguments.overrides)
    multirun = is_multirun(arguments)
    checks.check_form(stage, written, multirun=multirun)
    origin = start(stage, written)
    if origin and stage in axes.STAGES:
        _check_alone(origin, written)
    tasks = shots.tasks(stage, [*(origin.overrides if origin else ()), *written])
    overrides = parse(shots.rewrite(one, tasks) for one in parse(numeric.rewrite(override) for override in written))
    if origin:
        overrides = settled.open_overrides(origin, overrides)
    overrides = [*parse(implied(overrides, origin.overrides if origin else ())), *overrides]
    if origin:
        overrides = _behind(origin, overrides)
    if not _has_own_sources(arguments, overrides):
        checks.check_names(stage, overrides)
    lines = axes.collected(overrides) if stage in axes.STAGES else _lines(overrides)
    return [*lines, *(_start(origin, overrides, multirun=multirun) if origin else ())]


def _has_own_sources(arguments: Arguments, overrides: list[Override]) -> bool:
    """Whether options may come from elsewhere than ``conf/``."""
    flagged = bool(arguments.names & {"--config-dir", "--config-path"})
    return flagged or find(overrides, "hydra.searchpath") is not None


def _check_alone(origin: Start, asked: list[Override]) -> None:
    """Refuse to go on with a comparison under other conditions than its first cells had."""
    for override in asked:
        if override.key_or_group != origin.key:
            raise UserError(
                f"resume= goes on with the comparison as it was asked for: leave out {override.input_line}, or start "
                "another one."
            )


def _behind(origin: Start, asked: list[Override]) -> list[Override]:
    """The run's overrides as far as they still hold, then the user's."""
    kept = [override for override in origin.overrides if not superseded(override, asked)]
    return [*kept, *(override for override in asked if override.key_or_group != origin.key)]


def _start(origin: Start, overrides: list[Override], *, multirun: bool) -> list[str]:
    """Where the run is, for the stage, and for Hydra where the same run goes on."""
    folder = quoted(str(origin.folder))
    if origin.key == "run":
        return [f"run={folder}"]
    if multirun:
        raise UserError("resume= goes on with one run: leave out -m.")
    if find(overrides, "hydra.run.dir"):
        raise UserError("resume= already says where the run lives: leave out hydra.run.dir.")
    return [f"resume={folder}", f"hydra.run.dir={folder}"]


def _lines(overrides: list[Override]) -> list[str]:
    return [str(override.input_line) for override in overrides]
