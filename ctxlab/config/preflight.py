"""Checks of a composed configuration before torch is imported and a run directory is created.

They cover values of the shared keys, classes and types of the components, and files. Checks that only a component can
make run when it is created.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ctxlab.config import annotations, build, limits, signatures
from ctxlab.config.nearest import suggestion
from ctxlab.core.errors import UserError
from ctxlab.core.paths import check_output, check_there

FILES = (
    "data.train_file",
    "data.validation_file",
    "data.test_file",
    "input",
    "label.reviewed",
    "augment.thesaurus",
    "augment.there",
    "augment.back",
    "perturb.thesaurus",
    "knowledge.file",
    "audit.domain.reference",
    "privacy.run",
    "task.mentions",
    "reference",
)
"""Keys of files and folders that are read."""

PERHAPS_FOLDERS = ("model.path", "data.path")
"""Keys of folders, or of hub names, which have at most one slash and begin with a letter or digit."""


def check(config: DictConfig) -> None:
    """Run all checks that can be made early.

    Raises:
        UserError: names the first invalid key, its value and the allowed values.
    """
    _refuse_special(OmegaConf.to_container(config, resolve=False), "")
    limits.validate(config)
    for place, node in _components(config, ""):
        _check_component(place, node)
    _check_paths(config)


def _refuse_special(tree: Any, place: str, *, in_list: bool = False) -> None:
    """Refuse the keys of Hydra that change how something is called, and components in lists, which nothing builds."""
    items = tree.items() if isinstance(tree, Mapping) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        if key == "hydra" and not place:
            continue
        if key in build.SPECIAL and (in_list or key != "_target_"):
            where = f"{place}: " if place else ""
            raise UserError(f"{where}{key} is refused: a component has one _target_ and plain values.")
        _refuse_special(value, f"{place}.{key}" if place else str(key), in_list=in_list or isinstance(tree, list))


def _components(node: DictConfig, place: str) -> Iterator[tuple[str, DictConfig]]:
    """Yield every node of the configuration that names a class, with its dotted path."""
    if "_target_" in node:
        yield place, node
    for key in map(str, node):
        child = None if key == "hydra" and not place else node._get_node(key)
        if isinstance(child, DictConfig) and not child._is_none() and not child._is_missing():
            yield from _components(child, f"{place}.{key}" if place else key)


def _check_component(place: str, node: DictConfig) -> None:
    target = node._target_
    build.check_target(target, place)
    module, _, name = target.rpartition(".")
    known = signatures.classes(module)
    if known and name not in known:
        raise UserError(
            f"{place}: _target_ {target} is refused: {module} defines no class {name}"
            f"{suggestion(name, known, 'classes')}"
        )
    annotations.check_values(signatures.annotations(module, name), _plain(node), place)


def _plain(node: DictConfig) -> Mapping[str, Any]:
    """Return the values that are set; missing ones are reported when the component is created."""
    found = OmegaConf.to_container(node, resolve=True)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items() if value != "???"}


def _check_paths(config: DictConfig) -> None:
    for key in FILES:
        value = OmegaConf.select(config, key)
        for text in value if isinstance(value, (list, tuple)) or OmegaConf.is_list(value) else [value]:
            if isinstance(text, str) and text != "-":
                check_there(key, text)
    for key in PERHAPS_FOLDERS:
        text = OmegaConf.select(config, key)
        if isinstance(text, str) and (text.startswith((".", "/", "~")) or text.count("/") > 1):
            check_there(key, text)
    if config.get("output") is not None and "overwrite" in config:
        check_output(str(config.output), overwrite=bool(config.overwrite))
