"""The checks of ``ctxlab audit``: a group of which several options may be chosen, each with its keys below its name.

``audit=[groups,swap]`` becomes ``+audit@audit.groups=groups +audit@audit.swap=swap``, and without a choice every option
is there, those of plug-ins too.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ctxlab.config import catalogue
from ctxlab.core.errors import UserError

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

GROUPS = {"audit": "audit"}
"""Stage → its group of checks."""

LISTS = {"task/members": "task"}
"""Groups of which any option lists several, and the package below which the keys of these are."""


def listed_keys(chosen: Mapping[str, Sequence[str]]) -> dict[str, catalogue.Key]:
    """Return the keys of the listed options by their full dotted names, where an option of the group above has them.

    Args:
        chosen: Group → the options that the command chooses.
    """
    found: dict[str, catalogue.Key] = {}
    for group, package in LISTS.items():
        above, _, own = group.rpartition("/")
        defaults = [catalogue.lists(catalogue.option_file(above, option)) for option in chosen.get(above, ())]
        usual = [name for one in defaults for name in one.get(own, ())]
        for option in chosen.get(group, usual) if usual else ():
            found |= {f"{package}.{name}": key for name, key in catalogue.option_keys(group, option)}
    return found


def keys(stage: str, chosen: Sequence[str] = ()) -> dict[str, catalogue.Key]:
    """Return the keys of the checks of a stage by their full dotted names; those of all without a choice."""
    group = GROUPS.get(stage)
    if group is None:
        return {}
    return {
        f"{group}.{option}.{name}": key
        for option in chosen or catalogue.options(group)
        for name, key in catalogue.option_keys(group, option)
    }


def rewritten(stage: str, overrides: "Sequence[Override]", lines: Sequence[str]) -> list[str]:
    """Return the lines with the choice of checks, which the last override of the group has, as Hydra takes them.

    Args:
        stage: First word of the command.
        overrides: All overrides, of which each has been checked.
        lines: The same as Hydra would be given them.

    Raises:
        UserError: The choice has several values in a sweep.
    """
    group = GROUPS.get(stage)
    if group is None:
        return list(lines)
    from hydra.core.override_parser.types import QuotedString  # help, which needs no rewriting, imports no Hydra

    ours = [one for one in overrides if one.key_or_group == group and one.package is None]
    for one in ours:
        if one.is_sweep_override() or one.is_delete() or isinstance(one._value, dict):
            raise UserError(
                f"{one.input_line} is no choice of checks: write {group}=<check> or {group}=[<check>,<check>]; "
                f"checks: {', '.join(catalogue.options(group))}."
            )
    value = ours[-1]._value if ours else catalogue.options(group)
    named = value if isinstance(value, list) else [value]
    names = list(dict.fromkeys(one.text if isinstance(one, QuotedString) else str(one) for one in named))
    dropped = {str(one.input_line) for one in ours}
    kept = [line for line in lines if line not in dropped]
    return [*(f"+{group}@{group}.{name}={name}" for name in names), *kept]
