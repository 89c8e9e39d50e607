"""What an unknown name on a command line probably means, as the form to write instead.

Names are searched in this order: the same name in other case or with dashes, the end of a key or group
(``lr`` → ``optimizer.lr``), the names of other programs (``config.synonyms``), keys of another option or another
stage. Similar spellings are left to ``config.nearest``.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctxlab.command import checklist
from ctxlab.config import catalogue, synonyms
from ctxlab.config.nearest import either, folded, nearest

MANY = 4
"""Largest number of forms that are listed."""

GOOD = 0.75
"""Similarity from which a name counts as a misspelling of another."""


LEAST_BEGINNING = 5
"""Minimum length of the beginning of a name."""


@dataclass(frozen=True, slots=True)
class Written:
    """An unknown name as written on the command line."""

    key: str
    """Key or group, without ``+``."""
    value: str
    """Text after the equals sign."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The forms to write instead of an unknown name."""

    forms: Sequence[str]
    note: str = ""
    """A clause on what differs, or why."""

    def sentence(self) -> str:
        """``write optimizer.lr=1e-4.``"""
        return f"write {either(self.forms)}{f' ({self.note})' if self.note else ''}."


def key(stage: str, written: Written, known: Collection[str]) -> Suggestion | None:
    """Return the key or group that an unknown key probably means.

    Args:
        stage: First word of the command.
        written: The key and its value.
        known: Every key of the stage with the options of the command.
    """
    name = folded(written.key.replace("/", "."))
    groups = stage_groups(stage)
    values = [one for one in known if not any(other.startswith(f"{one}.") for other in known)]
    found = _ends(name, values)
    if found:
        return Suggestion([f"{one}={written.value}" for one in found]) if len(found) <= MANY else None
    for group in _group_ends(name, groups):
        elsewhere = None if written.value in catalogue.options(group) else option(stage, group, written.value)
        held = _held([group.replace("/", ".")], values)
        if not elsewhere and not written.value.isidentifier() and 0 < len(held) <= MANY:
            return Suggestion([f"{one}={written.value}" for one in held])  # a number is meant for a key
        return elsewhere or Suggestion([f"{group}={written.value}"])
    held = _held(_ends(name, [one for one in known if one not in values]), values)
    if 0 < len(held) <= MANY:
        return Suggestion([f"{one}={written.value}" for one in held])
    return _synonym(name, written.value) or _of_another_option(name, written.value, groups) or _of_a_stage(stage, name)


def _held(holders: Iterable[str], keys: Iterable[str]) -> list[str]:
    return [one for one in keys if any(one.startswith(f"{holder}.") for holder in holders)]


def option(stage: str, group: str, text: str) -> Suggestion | None:
    """Return the option, group or key that an unknown option of a group probably means."""
    options, name = catalogue.options(group), folded(text)
    if name in options:
        return Suggestion([f"{group}={name}"], "names are written in lower case, with underscores")
    if name in ("all", "*"):
        return Suggestion([f"-m {group}=glob(*)"], "one job for each")
    foreign = _foreign(synonyms.OPTIONS.get(group, {}), name)
    if foreign in options:
        return Suggestion([f"{group}={foreign}"], synonyms.NOTES.get(group, {}).get(name, ""))
    joined = [one for one in options if one.replace("_", "") == name.replace("_", "")]
    if joined:
        return Suggestion([f"{group}={joined[0]}"])
    elsewhere = _others(stage, group, name)
    if elsewhere:
        return Suggestion([f"{other}={name}" for other in elsewhere], f"an option of {either(elsewhere)}")
    return _path(group, text, options)


def _foreign(names: Mapping[str, str], name: str) -> str | None:
    """Return the option for a name of other programs, or for the beginning of one or several that mean the same."""
    if name in names or len(name) < LEAST_BEGINNING:
        return names.get(name)
    meant = {ours for other, ours in names.items() if other.startswith(name)}
    return meant.pop() if len(meant) == 1 else None


def stage_groups(stage: str) -> list[str]:
    """Return the groups in the configuration of a stage."""
    chosen = dict(catalogue.defaults(catalogue.option_file("", stage)))
    return [group for group in catalogue.groups() if group.split("/")[0] in {*chosen, checklist.GROUPS.get(stage)}]


def _ends(name: str, known: Collection[str]) -> list[str]:
    """Return keys that end in the name, or contain its parts in order: ``strategy.window`` →
    ``strategy.attention.window``.

    Keys that end in the name are preferred.
    """
    parts = name.split(".")
    ending = [one for one in known if folded(one).split(".")[-len(parts) :] == parts]
    return ending or [one for one in known if len(parts) > 1 and _within(parts, folded(one).split("."))]


def _within(parts: Sequence[str], key: Sequence[str]) -> bool:
    if parts[-1] != key[-1] or parts[0] != key[0]:
        return False
    rest = iter(key)
    return all(part in rest for part in parts)


def _group_ends(name: str, groups: Sequence[str]) -> list[str]:
    """Return groups that are the name or end in it: ``attention`` → ``strategy/attention``."""
    parts = name.split(".")
    return [group for group in groups if group.split("/")[-len(parts) :] == parts]


def _synonym(name: str, value: str) -> Suggestion | None:
    found = synonyms.KEYS.get(name) or synonyms.KEYS.get(name.rpartition(".")[2])
    return Suggestion([f"{found.name}={found.value(value)}"], found.note) if found else None


def _of_another_option(name: str, value: str, groups: Sequence[str]) -> Suggestion | None:
    """Return a key of an option that is not chosen, such as ``momentum`` of ``optimizer=sgd``."""
    forms = [
        f"{group}={option} {full}={value}"
        for group, option, full in _every_key(groups)
        if full == name or full.endswith(f".{name}")
    ]
    if not forms:
        return None
    few = either([form.split()[0] for form in forms[:MANY]])
    return Suggestion(forms[:1], f"a key of {few}")


def _every_key(groups: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Yield group, option and full name of every key of every option."""
    for group in groups:
        for name in catalogue.options(group):
            for one in catalogue.keys(catalogue.option_file(group, name)):
                if one.name != "name":
                    yield group, name, f"{group.replace('/', '.')}.{one.name}"


def _of_a_stage(stage: str, name: str) -> Suggestion | None:
    """Return a key that only another stage has."""
    for other in catalogue.stages():
        if other != stage and any(one.name == name for one in catalogue.keys(catalogue.option_file("", other))):
            return Suggestion([f"ctxlab {other} … {name}=…"], f"only ctxlab {other} has that key")
    return None


def _others(stage: str, group: str, name: str) -> list[str]:
    """Return other groups that have the option, those of the same family if any."""
    groups = stage_groups(stage)
    having = [other for other in groups if other != group and name in catalogue.options(other) and group in groups]
    family = [other for other in having if other.split("/")[0] == group.split("/")[0]]
    return family or having


def _path(group: str, text: str, options: Sequence[str]) -> Suggestion | None:
    """Return the key for a file, a folder or a hub name that was given as an option."""
    if group in synonyms.FILES and (Path(text).is_file() or Path(text).suffix):
        return Suggestion([f"{synonyms.FILES[group]}={text}"])
    if group not in synonyms.PATHS or (nearest(text, options, GOOD) and not Path(text).exists()):
        return None
    return Suggestion([f"{synonyms.PATHS[group]}={text}"], "for a folder, or a name on the hub")


def dashed(stage: str, name: str, value: str, known: Mapping[str, object]) -> str | None:
    """Return the form without dashes of ``--name value``, or None if nothing has that name.

    Args:
        stage: The command.
        name: The flag, with its dashes.
        value: What follows it.
        known: Full names of the configuration's keys, with their values.
    """
    plain = folded(name.lstrip("-"))
    names = [*stage_groups(stage), *known]
    if plain in names:
        return f"{plain}={value}"
    found = key(stage, Written(plain, value), list(known))
    guess = nearest(plain, names, GOOD)
    return either(found.forms) if found else f"{guess}={value}" if guess else None
