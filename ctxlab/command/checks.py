"""Checks of overrides before composition: unknown groups, options and keys, sweeps without -m."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, Override, QuotedString

from ctxlab.command import axes, checklist, positional, selected, suggestions
from ctxlab.config import catalogue, holding
from ctxlab.config.nearest import described, nearest, suggestion
from ctxlab.config.redact import MASK, is_secret
from ctxlab.core.errors import UserError

TARGET = "._target_"
"""Suffix of the key that names a component's class; another class may have other keys."""


def check_form(stage: str, overrides: Sequence[Override], *, multirun: bool) -> None:
    """Refuse several values outside a multirun, and a stage that is not the first word.

    Raises:
        UserError: naming the override.
    """
    if multirun and stage in positional.KEYS:
        raise UserError(f"ctxlab {stage} writes one page for all directories: leave out -m.")
    if multirun and stage in axes.STAGES:
        raise UserError(f"ctxlab {stage} goes through all of its candidates by itself: leave out -m.")
    if multirun and stage == "serve":
        raise UserError("ctxlab serve answers until it is stopped: leave out -m, and start one command for each run.")
    if multirun and stage == "sweep":
        raise UserError("ctxlab sweep runs all of its trials by itself: leave out -m.")
    for override in overrides:
        if override.key_or_group == "stage":
            raise UserError(f"{override.input_line} cannot be set: the stage is the first word, as in ctxlab {stage}.")
        if stage in axes.STAGES:
            axes.check(stage, override)
        elif override.is_sweep_override() and stage == "sweep":
            values = str(override.input_line).partition("=")[2]
            raise UserError(
                f"{override.input_line} has several values: search them by a space, as in sweep.space=space.yaml with "
                f"the line {override.key_or_group}: {{choice: [{values}]}}."
            )
        elif override.is_sweep_override() and not multirun:
            key = override.key_or_group
            otherwise = "" if key in catalogue.groups() else f", or write {key}=[…] for a list"
            if " " in override.get_value_string().strip():
                otherwise = f", or put a text in quotes: \"{key}='…'\""
            raise UserError(f"{override.input_line} has several values: add -m to run one job for each{otherwise}.")


def check_names(stage: str, overrides: Sequence[Override]) -> None:
    """Refuse groups, options and keys that do not exist, even with a plus that would add them.

    Raises:
        UserError: names the override and what to write instead, or the nearest match and the choices.
    """
    ours = [override for override in overrides if not override.is_hydra_override()]
    groups = catalogue.groups()
    for override in ours:
        _check_group(stage, override, groups)
        _check_removal(stage, override)
    if any(override.package is not None for override in ours):
        return  # options may then live anywhere
    known = selected.keys(stage, [str(override.input_line) for override in ours])
    foreign = tuple(f"{name.removesuffix(TARGET)}" for name in map(_key, ours) if name.endswith(TARGET))
    for override in ours:
        key = override.key_or_group
        if key not in groups and not override.is_delete() and not key.startswith(foreign):
            _check_key(stage, override, known)


def _check_group(stage: str, override: Override, groups: list[str]) -> None:
    key = override.key_or_group
    if key in groups:
        _check_choice(stage, override)
        for name in named_options(override):
            _check_option(stage, key, name, str(override.input_line))
    elif "/" in key:
        found = suggestions.key(stage, _written(override), [])
        end = f"; {found.sentence()}" if found else suggestion(key, groups, "groups")
        raise UserError(f"{override.input_line}: there is no group {key}{end}")
    elif key.replace(".", "/") in groups and _names_option(override):
        group = key.replace(".", "/")
        raise UserError(
            f"{override.input_line} would replace the whole group: "
            f"write {group}={override.get_value_string()} to choose an option."
        )


def _names_option(override: Override) -> bool:
    """Return whether the value is written as that of a group would be; numbers and null are meant for a key."""
    return all(isinstance(name, str) for name in named_options(override)) and not (
        override.is_delete() or _is_dictionary(override)
    )


def _check_removal(stage: str, override: Override) -> None:
    """Refuse to remove a whole section, which every run has."""
    key = override.key_or_group
    if override.is_delete() and key.replace(".", "/") in suggestions.stage_groups(stage):
        group = key.replace(".", "/")
        raise UserError(
            f"{override.input_line} would remove a part of every run: choose another with {group}=<option>."
        )


def _check_choice(stage: str, override: Override) -> None:
    """Refuse a plus before a group that already has an option, and several options for one group."""
    key, line = override.key_or_group, str(override.input_line)
    twice = [name for name, count in Counter(named_options(override)).items() if count > 1]
    if key in checklist.LISTS and twice:
        raise UserError(f"{line} names {twice[0]} twice: name each member once.")
    if key not in suggestions.stage_groups(stage) or key in (checklist.GROUPS.get(stage), *checklist.LISTS):
        return
    if override.is_add() and not override.is_force_add() and not _is_dictionary(override):
        raise UserError(f"{line}: {key} has an option already, write {line[1:]} without the plus.")
    if isinstance(override._value, list):
        apart = ",".join(str(name) for name in named_options(override))
        raise UserError(f"{line} names several options of one group: give one, or write -m {key}={apart} to run each.")


def _check_key(stage: str, override: Override, known: Mapping[str, catalogue.Key]) -> None:
    key = override.key_or_group
    parents = (key[:place] for place, letter in enumerate(key) if letter == ".")
    if key in known or _has_keys(key, known) or any(name in known and not _has_keys(name, known) for name in parents):
        _check_plus(override)
        holding.check_value(key, f"{key}={_written(override).value}", override._value, known)
        return
    found = suggestions.key(stage, _written(override), list(known))
    end = f"; {found.sentence()}" if found else _siblings(key, list(known))
    plus = ", and + cannot add one" if str(override.input_line).startswith("+") else ""
    raise UserError(f"There is no key {key}{plus}{end}")


def _check_plus(override: Override) -> None:
    """Refuse ``+key`` for a key that exists, as Hydra would."""
    if override.is_add() and not override.is_force_add():
        line = str(override.input_line)
        raise UserError(f"{line}: the key {override.key_or_group} exists already, write {line[1:]} without the plus.")


def _has_keys(key: str, known: Collection[str]) -> bool:
    return any(name.startswith(f"{key}.") for name in known)


def _siblings(key: str, known: Collection[str]) -> str:
    """Suggest the nearest key under the same parent, and list all of these; else the nearest by its last part."""
    parent, _, last = key.rpartition(".")
    depth = f"{parent}." if parent else ""
    beside = sorted({name.removeprefix(depth).split(".")[0] for name in known if name.startswith(depth)})
    if not beside:
        return _siblings(parent, known)
    lasts = {name.rpartition(".")[2]: name for name in known}
    near, far = nearest(last, beside), nearest(last, lasts, suggestions.GOOD)
    guess = f"{depth}{near}" if near else lasts[far] if far else None
    return described(guess, beside, f"keys of {parent}" if parent else "keys")


def _key(override: Override) -> str:
    return str(override.key_or_group)


def _written(override: Override) -> suggestions.Written:
    value = str(override.input_line).partition("=")[2]
    return suggestions.Written(override.key_or_group, MASK if is_secret(override.key_or_group) else value)


def _check_option(stage: str, group: str, name: Any, line: str) -> None:
    if name is None:
        raise UserError(f"{line} is not an option; choices: {', '.join(catalogue.options(group))}.")
    if not catalogue.has_option(group, str(name)):
        listed = group in checklist.LISTS  # what would do is another option of this very group
        found = None if listed else suggestions.option(stage, group, str(name))
        end = f"; {found.sentence()}" if found else suggestion(str(name), catalogue.options(group))
        raise UserError(f"{line}: there is no {group} '{name}'{end}")
    if not isinstance(name, str):
        raise UserError(f"{line}: Hydra takes no number as an option, put it in quotes: \"{group}='{name}'\".")


def named_options(override: Override) -> Iterable[Any]:
    """Return the options that an override of a group names; none if it deletes, is a pattern or a dictionary."""
    content = override._value
    if override.is_delete() or _is_dictionary(override):
        return []
    if isinstance(content, ChoiceSweep):
        entries: list[Any] = content.list
    elif override.is_sweep_override():
        return []
    else:
        entries = content if isinstance(content, list) else [content]
    flat = [name for entry in entries for name in (entry if isinstance(entry, list) else [entry])]
    return [name.text if isinstance(name, QuotedString) else name for name in flat]


def _is_dictionary(override: Override) -> bool:
    return isinstance(override._value, dict)
