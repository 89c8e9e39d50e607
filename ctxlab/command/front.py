"""Rewriting the user's overrides into those that Hydra composes."""

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.types import Override

from ctxlab.command import axes, beginning, checklist, checks, fixed_keys, numeric, positional, shots
from ctxlab.command.flags import Arguments
from ctxlab.command.implied import implied
from ctxlab.command.overrides import dotted, find, parse
from ctxlab.command.replay import GIVEN, SEVERAL, Start, start, superseded
from ctxlab.config import own_options
from ctxlab.config.quoting import quoted
from ctxlab.core.errors import UserError


def is_multirun(arguments: Arguments) -> bool:
    """Return whether several values of a key mean several jobs."""
    return "--multirun" in arguments.names or any(
        word.lower() in ("hydra.mode=multirun", "hydra/mode=multirun") for word in arguments.overrides
    )


def rewrite(stage: str, arguments: Arguments) -> list[str]:
    """Return the overrides for Hydra: those of the earlier run if any, implied groups, and the user's.

    Raises:
        UserError: for invalid overrides.
    """
    written = parse(positional.rewrite(stage, arguments.overrides))
    multirun = is_multirun(arguments)
    checks.check_form(stage, written, multirun=multirun)
    own_options.check([*arguments.values("--config-dir"), *_searched(written)])
    origin = start(stage, written)
    if origin and stage in axes.STAGES:
        _check_unchanged(origin, written)
    tasks = shots.tasks(stage, [*(origin.overrides if origin else ()), *written])
    overrides = parse(shots.rewrite(one, tasks) for one in parse(numeric.rewrite(override) for override in written))
    if origin:
        overrides = fixed_keys.open_overrides(origin, overrides)
    overrides = beginning.begun(stage, overrides)
    overrides = [*parse(implied(overrides, origin.overrides if origin else ())), *overrides]
    if origin:
        overrides = _merged(origin, overrides)
        if origin.own_options and not has_own_sources(arguments, _lines(overrides)):
            own_options.check_recorded(origin.own_options, origin.folder)
            overrides = [*overrides, *parse([own_options.search_path(origin.own_options)])]
    if not has_own_sources(arguments, _lines(overrides)):
        checks.check_names(stage, overrides)
    lines = axes.collected(overrides) if stage in axes.STAGES else _lines(overrides)
    lines = checklist.rewritten(stage, overrides, lines)
    if origin and origin.key == SEVERAL:
        lines = [*lines, _given(written)]
    return [*lines, *(_start(origin, overrides, multirun=multirun) if origin else ())]


def has_own_sources(arguments: Arguments, overrides: Sequence[str]) -> bool:
    """Return whether options may come from outside ``conf/``."""
    flagged = bool(arguments.names & {"--config-dir", "--config-path"})
    return flagged or any(word.lstrip("+").startswith(own_options.SEARCH_PATH) for word in overrides)


def _check_unchanged(origin: Start, asked: list[Override]) -> None:
    """Refuse to resume a comparison with other settings than its first cells had."""
    for override in asked:
        if override.key_or_group != origin.key:
            raise UserError(
                f"resume= continues the comparison with its own settings: leave out {override.input_line}, or start "
                "another one."
            )


def _merged(origin: Start, asked: list[Override]) -> list[Override]:
    """Return the run's overrides that the user's do not replace, then the user's."""
    kept = [override for override in origin.overrides if not superseded(override, asked)]
    return [*kept, *(override for override in asked if override.key_or_group != origin.key)]


def _start(origin: Start, overrides: list[Override], *, multirun: bool) -> list[str]:
    """Return overrides with the directory of the run, for the stage, and for Hydra if the run is resumed."""
    folder = quoted(str(origin.folder))
    if origin.key == "run":
        return [f"run={folder}"]
    if origin.key == SEVERAL:
        return [f"{SEVERAL}=[{','.join(quoted(str(path)) for path in origin.named)}]"]
    if multirun:
        raise UserError("resume= continues a single run: leave out -m.")
    if find(overrides, "hydra.run.dir"):
        raise UserError("resume= already names the run directory: leave out hydra.run.dir.")
    return [f"resume={folder}", f"hydra.run.dir={folder}"]


def _given(asked: list[Override]) -> str:
    """Return the override that names what the user gave, which then holds for each of several runs."""
    names = dict.fromkeys(dotted(one.key_or_group).split(".")[0] for one in asked if not one.is_hydra_override())
    return f"{GIVEN}=[{','.join(name for name in names if name not in (SEVERAL, GIVEN))}]"


def _searched(overrides: Sequence[Override]) -> list[Any]:
    """Return what the overrides name as places of options."""
    own = [one.value() for one in overrides if dotted(one.key_or_group) == own_options.SEARCH_PATH]
    return [place for value in own for place in (value if isinstance(value, list) else [value]) if place is not None]


def _lines(overrides: list[Override]) -> list[str]:
    return [str(override.input_line) for override in overrides]
