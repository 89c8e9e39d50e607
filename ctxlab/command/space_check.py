"""Checks of the space of ``ctxlab sweep`` before its directory is made: names of keys and options, and their values."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from ctxlab.command import checks, numeric
from ctxlab.command.explain import explain
from ctxlab.command.implied import implied
from ctxlab.command.overrides import dotted, parse
from ctxlab.config import catalogue, own_options, preflight
from ctxlab.core.errors import UserError
from ctxlab.sweeping import command
from ctxlab.sweeping.parameters import Parameter
from ctxlab.sweeping.space import Source, Space, read_space

TRAIN = "train"

SEVERAL_NAMES = {"context": "context.length"}
"""Groups with one key → that key."""


def check(config: DictConfig) -> None:
    """Check the space of a composed configuration of ``ctxlab sweep``; the sweep that is resumed was checked before.

    Raises:
        UserError: Names the file and the key.
    """
    found = HydraConfig.get()
    given = OmegaConf.to_container(config.sweep, resolve=True)
    assert isinstance(given, dict)
    if config.get("resume") is not None:
        read_space(given["space"], fallback=Path(str(config.resume)) / command.SPACE)
        return
    if given["space"] == "???":
        raise UserError("There is no space to search: give sweep=<option> or sweep.space=<file.yaml>.")
    space, source = read_space(given["space"], str(found.runtime.choices.get("sweep") or ""))
    shared = parse(command.shared(found.overrides.task))
    _check_once(space, source, shared)
    _check_names(space, source, shared, checks_names=not _has_own_sources(found))
    _check_values(space, source, shared)


def _has_own_sources(found: Any) -> bool:
    return bool(own_options.folders(found.runtime.config_sources))


def _check_once(space: Space, source: Source, shared: Sequence[Override]) -> None:
    """Refuse a key that is searched and also given on the command line."""
    given = {_one_name(one.key_or_group): str(one.input_line) for one in shared}
    names = [_one_name(name) for name in space.names]
    for name, key in zip(space.names, names, strict=True):
        if key in given or names.count(key) > 1:
            other = given.get(key) or f"{name}, under another name"
            raise UserError(f"{source.at(name)} is searched, and {other} is given too: leave one of them out.")


def _one_name(key: str) -> str:
    return SEVERAL_NAMES.get(key, dotted(key))


def _check_names(space: Space, source: Source, shared: Sequence[Override], *, checks_names: bool) -> None:
    if not checks_names:
        return
    lines = {}
    for one in space.parameters:
        with _placed(source, one.name):
            lines[one.name] = _lines(one)
    groups = parse(line for one in space.parameters if one.name in catalogue.groups() for line in lines[one.name])
    for one in space.parameters:
        own = lines[one.name] if one.name in catalogue.groups() else lines[one.name][:1]
        with _placed(source, one.name):
            checks.check_names(TRAIN, [*shared, *groups, *parse(own)])


def _lines(one: Parameter) -> list[str]:
    """Return an override for every example of a parameter, as Hydra accepts it."""
    return [numeric.rewrite(override) for override in parse(one.word(stored) for stored in one.examples())]


def _check_values(space: Space, source: Source, shared: Sequence[Override]) -> None:
    """Compose with every option, and set every value of a key once."""
    lines = [numeric.rewrite(one) for one in shared]
    lines = [*implied(parse(lines)), *lines]
    composed = [_composed(lines)]
    for one in space.parameters:
        if one.name in catalogue.groups():
            for line in _lines(one):
                with _placed(source, one.name):
                    composed.append(_composed([*lines, *implied(parse([line])), line]))
                    preflight.check(composed[-1])
    for one in space.parameters:
        if one.name not in catalogue.groups():
            with _placed(source, one.name):
                _check_each(one, composed)


def _check_each(one: Parameter, composed: Sequence[DictConfig]) -> None:
    name = one.name.lstrip("+~")
    having = next((config for config in composed if _has(config, name)), None)
    if having is None:
        return  # added by a plus, or a key of a plug-in
    for override in parse(_lines(one)):
        changed = having.copy()
        OmegaConf.update(changed, override.key_or_group, override.value(), merge=True)
        preflight.check(changed)


def _has(config: DictConfig, name: str) -> bool:
    parent, _, last = name.rpartition(".")
    node = OmegaConf.select(config, parent) if parent else config
    return isinstance(node, DictConfig) and last in node


def _composed(lines: Sequence[str]) -> DictConfig:
    return hydra.compose(config_name=TRAIN, overrides=list(lines))


@contextmanager
def _placed(source: Source, key: str) -> Iterator[None]:
    """Add the place of a key to the sentence of any mistake within."""
    try:
        yield
    except Exception as error:
        raise UserError(f"{source.at(key)}: {explain(error).sentence}") from None  # the cause would be printed instead
