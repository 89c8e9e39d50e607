"""Configurations as flat settings, and what differs between them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

OF_RUN = frozenset({"seed", "fold", "resume", "run", "tracking", "stage"})
"""Keys that describe a run and not its configuration."""

DATA = ("data", "data_seed", "probe", "folds")
"""Keys that decide which documents are scored."""

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader written in C, where there is one, is ten times faster."""


def settings(text: str) -> dict[str, str]:
    """Return dotted key → value of a composed configuration; a component is named by its file.

    Args:
        text: Content of ``config.yaml``.

    Raises:
        ValueError: The text is no configuration.
    """
    try:
        loaded = yaml.load(text, Loader=LOADER)  # noqa: S506 (a safe loader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    if not isinstance(loaded, dict):
        raise ValueError("it has no keys")
    kept = {key: value for key, value in loaded.items() if key not in OF_RUN}
    if "probe" in kept and (kept.get("task") or {}).get("name") != "probe":
        del kept["probe"]
    return dict(_flat(kept, ""))


def _flat(node: Mapping[str, Any], place: str) -> Iterator[tuple[str, str]]:
    if place and ("_target_" in node or "name" in node):
        target = str(node.get("_target_") or "").split(".")
        yield place, str(node.get("name") or (target[-2] if len(target) > 1 else target[0]))
    for key, value in node.items():
        full = f"{place}.{key}" if place else str(key)
        if isinstance(value, dict):
            yield from _flat(value, full)
        elif not place or key not in ("_target_", "name"):
            yield full, _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def data_of(found: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that decide which documents are scored."""
    return {key: value for key, value in found.items() if key.split(".")[0] in DATA}


def differing(several: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the keys whose values differ, in the order of the configuration; a missing key differs from any value."""
    keys = dict.fromkeys(key for one in several for key in one)
    return [key for key in keys if len({one.get(key) for one in several}) > 1]


def titles(several: Sequence[Mapping[str, str]]) -> list[str]:
    """Return a title for each configuration: strategy and context, and what else tells it from others.

    Settings that follow from the strategy are left out, unless they differ between two of one strategy and context.
    """
    different = differing(several)
    plain = [_plain(one) for one in several]
    found = []
    for one, title in zip(several, plain, strict=True):
        same = [other for other, name in zip(several, plain, strict=True) if name == title]
        own = differing(same)
        keys = [key for key in different if key in own or not (key.startswith(("strategy", "context")))]
        found.append(", ".join([title, *(f"{key}={one.get(key, 'none')}" for key in keys)]))
    return found


def _plain(one: Mapping[str, str]) -> str:
    """Return "chunk at 512"."""
    length = one.get("context.length", "")
    return f"{one.get('strategy', '')} at {int(length):,}" if length.isdecimal() else one.get("strategy", "")
