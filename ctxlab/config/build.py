"""The only module that creates objects from configuration.

A target must be a class that is defined, not merely importable, in a component package of ctxlab or in a distribution
that declares the ``ctxlab.plugins`` entry point. This is checked before anything is imported.
"""

import importlib
import importlib.util
import inspect
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue

from ctxlab.config import annotations
from ctxlab.config.nearest import nearest, suggestion
from ctxlab.core import plugins
from ctxlab.core.contract import protocol_name
from ctxlab.core.errors import UserError

FAMILIES = (
    "tasks", "strategies", "models", "corpora", "data", "optim", "objectives", "continual", "augment", "knowledge",
    "labelling", "explanation", "compression", "privacy", "monitoring", "tracking", "audit", "export", "runtime",
)  # fmt: skip
"""Packages of ctxlab whose classes a configuration may name."""

TARGET = re.compile(r"[A-Za-z]\w*(?:\.[A-Za-z]\w*)+", re.ASCII)
"""A dotted name without relative parts, private parts or white space."""

SPECIAL = ("_target_", "_args_", "_partial_", "_convert_", "_recursive_")
"""Keys with which a configuration could change how Hydra calls the target."""

LABEL = "name"
"""Key that only labels an option; passed to classes that have a parameter of this name."""


Built = TypeVar("Built")


def build(config: DictConfig | Mapping[str, Any], protocol: type[Built], /, **kwargs: Any) -> Built:
    """Create the object that ``config`` names by ``_target_``, with its other keys as keyword arguments.

    Args:
        config: One component of the composed configuration.
        protocol: Required base class, such as ``core.task.Task``.
        kwargs: Further keyword arguments from the program; they take precedence over the configuration's.

    Raises:
        UserError: for a target that is not allowed or not a subclass of ``protocol``, for an unknown key, for a value
            of another type than annotated, and with the text of a ``ValueError`` that the class raises.
    """
    place = config._get_full_key("") if isinstance(config, DictConfig) else ""
    values = {key: value for key, value in _plain(config, place).items() if key not in kwargs}
    target = values.pop("_target_", None)
    _check_special(values, place)
    cls = locate(target, place)
    _check_protocol(cls, protocol, place)
    annotations.check(cls, values, place)
    values = _accepted(cls, values | kwargs, place, given=kwargs)
    # Only the target goes through instantiate: values are neither interpreted again nor turned into configuration.
    factory = instantiate({"_target_": target}, _partial_=True, _recursive_=False)
    try:
        made: Built = factory(**values)
    except ValueError as error:
        raise UserError(f"{_at(place)}{error}") from error
    return made


def locate(target: Any, place: str = "") -> type:
    """Return the class that a target names.

    Raises:
        UserError: names the target, if it is not an allowed class.
    """
    check_target(target, place)
    module_name, _, class_name = target.rpartition(".")
    return _defined(_module(module_name, target, place), class_name, target, place)


def check_target(target: Any, place: str = "") -> None:
    """Refuse a target that is not allowed or whose module does not exist, without importing it.

    Raises:
        UserError: names the target and the allowed packages.
    """
    if not isinstance(target, str) or not TARGET.fullmatch(target):
        raise UserError(f"{_at(place)}_target_ {target!r} is refused: name a class, as in the YAML files under conf/.")
    module_name = target.rpartition(".")[0]
    if not _is_open(module_name):
        allowed = ", ".join(f"ctxlab.{family}" for family in FAMILIES)
        raise UserError(
            f"{_at(place)}_target_ {target} is refused: "
            f"only classes under {allowed}, or of a package that declares the entry point {plugins.GROUP}, are built."
        )
    if module_name.split(".")[0] == "ctxlab":
        _check_module(module_name, target, place)
    elif module_name.split(".")[0] in plugins.folders() and not plugins.source(module_name):
        raise UserError(f"{_at(place)}_target_ {target} is not there: no module {module_name}.")


def _is_open(module_name: str) -> bool:
    parts = module_name.split(".")
    if parts[0] == "ctxlab":
        return len(parts) > 2 and parts[1] in FAMILIES
    return parts[0] in plugins.packages()


def _module(name: str, target: str, place: str) -> Any:
    _check_module(name, target, place)
    return importlib.import_module(name)


def _check_module(name: str, target: str, place: str) -> None:
    """Import the parents of a module one after the other, so that the error names the missing one."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        parent = ".".join(parts[:end])
        try:
            found = importlib.util.find_spec(parent)
        except (ImportError, ValueError, AttributeError):
            found = None
        if found is None:
            raise UserError(f"{_at(place)}_target_ {target} does not exist: there is no module {parent}.")


def _defined(module: Any, name: str, target: str, place: str) -> type:
    found = vars(module).get(name)
    if isinstance(found, type) and (found.__module__, found.__qualname__) == (module.__name__, name):
        return found
    classes = [
        key for key, value in vars(module).items() if isinstance(value, type) and value.__module__ == module.__name__
    ]
    raise UserError(
        f"{_at(place)}_target_ {target} is refused: {module.__name__} defines no class {name}"
        f"{suggestion(name, classes, 'classes')}"
    )


def _plain(config: DictConfig | Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return the configuration as Python data with interpolations resolved."""
    if not isinstance(config, (DictConfig, Mapping)):
        raise UserError(f"{_at(place)}{config!r} is not a component: it needs a _target_.")
    if not isinstance(config, DictConfig):
        config = OmegaConf.create(dict(config))
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        raise UserError(f"{error.full_key or place} is missing: give it a value.") from error
    if not isinstance(plain, dict) or "_target_" not in plain:
        raise UserError(f"{place or 'A component'} has no _target_: add the class that it configures.")
    return {str(key): value for key, value in plain.items()}


def _check_special(values: Any, place: str) -> None:
    """Refuse keys, at any depth, that would make Hydra call something."""
    items = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for key, value in items:
        if key in SPECIAL:
            raise UserError(f"{_at(place)}{key} is refused: a component has one _target_ and plain values.")
        _check_special(value, place)


def _check_protocol(cls: type, protocol: type, place: str) -> None:
    if not issubclass(cls, protocol):
        raise UserError(
            f"{_at(place)}_target_ {cls.__module__}.{cls.__qualname__} implements {protocol_name(cls)}, where "
            f"{protocol.__name__} is needed: name a subclass of {protocol.__module__}.{protocol.__name__}."
        )


def _accepted(cls: type, values: dict[str, Any], place: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that the constructor takes, after checking for unknown and missing keys; drop the label
    unless the constructor takes it.
    """
    parameters = inspect.signature(cls).parameters.values()
    names = [parameter.name for parameter in parameters if parameter.kind in _BY_KEYWORD]
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return values
    if LABEL not in names and LABEL not in given:
        values.pop(LABEL, None)
    for key in values:
        if key not in names:
            guess = nearest(key, names)
            hint = f"did you mean '{guess}'? It" if guess else "it"
            raise UserError(f"{_at(place)}{cls.__name__} has no '{key}'; {hint} takes {', '.join(names) or 'nothing'}.")
    needed = [p.name for p in parameters if p.kind in _BY_KEYWORD and p.default is p.empty and p.name not in values]
    if needed:
        raise UserError(f"{_at(place)}{cls.__name__} needs a value for {', '.join(needed)}.")
    return values


_BY_KEYWORD = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _at(place: str) -> str:
    return f"{place}: " if place else ""
