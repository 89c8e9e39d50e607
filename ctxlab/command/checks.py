"""What can be said about overrides before anything is composed: unknown groups and options, sweeps without -m."""

from collections.abc import Iterable, Sequence
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, Override, QuotedString

from ctxlab.config import catalogue
from ctxlab.config.nearest import suggestion
from ctxlab.core.errors import UserError


def check_form(stage: str, overrides: Sequence[Override], *, multirun: bool) -> None:
    """Refuse several values outside a multirun, and a stage that is not the first word.

    Raises:
        UserError: naming the override.
    """
    for override in overrides:
        if override.key_or_group == "stage":
            raise UserError(f"{override.input_line} cannot be set: the stage is the first word, as in ctxlab {stage}.")
        if override.is_sweep_override() and not multirun:
            key = override.key_or_group
            otherwise = "" if key in catalogue.groups() else f", or write {key}=[…] for a list"
            raise UserError(f"{override.input_line} has several values: add -m to run one job for each{otherwise}.")


def check_groups(overrides: Sequence[Override]) -> None:
    """Refuse groups and options that do not exist.

    Raises:
        UserError: naming the override, the nearest match and the choices.
    """
    groups = catalogue.groups()
    for override in overrides:
        if not override.is_hydra_override():
            _check_group(override, groups)


def _check_group(override: Override, groups: list[str]) -> None:
    key = override.key_or_group
    if key in groups:
        for name in named_options(override):
            _check_option(key, name, str(override.input_line))
    elif "/" in key:
        raise UserError(f"{override.input_line}: there is no group {key}{suggestion(key, groups, 'groups')}")
    elif key.replace(".", "/") in groups and not override.is_delete() and not _is_dictionary(override):
        group = key.replace(".", "/")
        raise UserError(
            f"{override.input_line} would replace the whole group: "
            f"write {group}={override.get_value_string()} to choose an option."
        )


def _check_option(group: str, name: Any, line: str) -> None:
    if name is None:
        raise UserError(f"{line} is not an option; choices: {', '.join(catalogue.options(group))}.")
    if not _exists(group, str(name)):
        raise UserError(f"{line}: there is no {group} '{name}'{suggestion(str(name), catalogue.options(group))}")
    if not isinstance(name, str):
        raise UserError(f"{line}: Hydra takes no number as an option, put it in quotes: \"{group}='{name}'\".")


def _exists(group: str, name: str) -> bool:
    """Whether the option is there, and inside ``conf/`` also after ``..`` and symbolic links."""
    path = catalogue.option_file(group, name)
    return path.is_file() and path.resolve().is_relative_to((catalogue.conf_dir() / group).resolve())


def named_options(override: Override) -> Iterable[Any]:
    """Options that an override of a group names; none where it deletes, matches a pattern or merges a dictionary."""
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
