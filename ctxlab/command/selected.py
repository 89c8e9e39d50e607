"""The options that a command chooses, and the keys that exist with them; read without Hydra."""

import re
from collections.abc import Iterable

from ctxlab.command import checklist
from ctxlab.config import catalogue

EXPERIMENT = "experiment"
"""Group whose options choose options of other groups."""


def options(lines: Iterable[str]) -> dict[str, list[str]]:
    """Return group → the options that the words choose, several in a sweep; the last word for a group counts."""
    found: dict[str, list[str]] = {}
    groups = set(catalogue.groups())
    for line in lines:
        group, equals, value = line.lstrip("+").partition("=")
        named = _named(group, value) if equals and group in groups else []
        if named and group == EXPERIMENT:
            for one in named:
                found |= {
                    name: [option] for name, option in catalogue.defaults(catalogue.option_file(group, one), group)
                }
        if named:
            found[group] = named
    return found


def _named(group: str, value: str) -> list[str]:
    """Return the options that a value names, ignoring all other characters."""
    every = catalogue.options(group)
    if "*" in value:
        return every
    words = set(re.findall(r"[\w-]+", value))
    return [option for option in every if option in words]


def keys(stage: str, lines: Iterable[str]) -> dict[str, catalogue.Key]:
    """Return every key of a stage with the options that the words choose; in a sweep those of any job."""
    several = options(lines)
    first = {group: names[0] for group, names in several.items()}
    found = catalogue.tree(stage, first)
    for group, names in several.items():
        for name in names[1:]:
            found |= catalogue.tree(stage, first | {group: name})
    found |= checklist.listed_keys(several)
    return found | checklist.keys(stage, several.get(checklist.GROUPS.get(stage, ""), ()))
