"""Plug-ins: installed distributions that bring components of their own, found without running any of their code.

A distribution declares itself with an entry point of the group ``ctxlab.plugins`` that names its package::

    [project.entry-points."ctxlab.plugins"]
    longlab = "longlab"

The package then has ``conf/<group>/<name>.yaml`` as ctxlab has, classes that these files name, metrics and statistics
(modules that a task or a metric names in full, such as ``longlab.metrics.tagging``), and grammars of
``data=generated`` as ``corpora/<task>.py``. Nothing of it is imported before a run needs it.
"""

import importlib
import importlib.metadata
import importlib.util
import re
import sys
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

GROUP = "ctxlab.plugins"
"""Entry point group by which a distribution declares that configurations may name its classes."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*")
"""A dotted name without relative parts, private parts or white space."""


def packages() -> list[str]:
    """Return the top-level packages of the distributions that declare the entry point, in alphabetical order.

    Packages of the standard library and ctxlab itself are never among them.
    """
    named = {point.module.split(".")[0] for point in importlib.metadata.entry_points(group=GROUP)}
    return sorted(name for name in named if name not in sys.stdlib_module_names and name != "ctxlab")


def folders() -> dict[str, Path]:
    """Return package → folder; packages that are a single file or do not exist are left out."""
    return dict(_folders(tuple((entry, _changed(entry)) for entry in sys.path)))


@cache
def _folders(path: tuple[tuple[str, int], ...]) -> tuple[tuple[str, Path], ...]:
    """Find the folders, cached by the import path: a search reads a file of every installed distribution."""
    del path
    return tuple((name, folder) for name in packages() if (folder := _folder(name)))


def _changed(entry: str) -> int:
    try:
        return Path(entry).stat().st_mtime_ns
    except OSError:
        return 0


def _folder(package: str) -> Path | None:
    spec = _spec(package)
    return Path(next(iter(spec.submodule_search_locations))) if spec and spec.submodule_search_locations else None


def _spec(package: str) -> ModuleSpec | None:
    """Return the import spec of a top-level package without running its code."""
    try:
        return importlib.util.find_spec(package)
    except (ImportError, ValueError, AttributeError):
        return None


def conf_dirs() -> list[Path]:
    """Return the folders with the YAML files of plug-ins."""
    return [folder / "conf" for folder in folders().values() if (folder / "conf").is_dir()]


def source(module: str) -> Path | None:
    """Return the file of a plug-in's module without importing its package; None if there is no such file."""
    package, *parts = module.split(".")
    if not NAME.fullmatch(module) or package not in packages():
        return None
    folder, spec = _folder(package), _spec(package)
    if folder is None:
        return Path(spec.origin) if spec and spec.origin and not parts else None
    path = folder.joinpath(*parts)
    candidates = [path / "__init__.py", *([path.with_name(f"{path.name}.py")] if parts else [])]
    return next((file for file in candidates if file.is_file()), None)


def find_module(package: str, name: str) -> ModuleType | None:
    """Import the module with a ``name``: a file of one of ctxlab's packages, or a plug-in's module by its full name.

    Args:
        package: Package of ctxlab, such as ``ctxlab.evaluation.metrics``.
        name: ``entities``, or ``longlab.metrics.tagging``.

    Returns:
        The module; None if it does not exist, or is in neither ctxlab nor a plug-in.
    """
    if not NAME.fullmatch(name):
        return None
    if "." in name:
        return importlib.import_module(name) if source(name) else None
    return importlib.import_module(f"{package}.{name}") if importlib.util.find_spec(f"{package}.{name}") else None


def grammars() -> dict[str, str]:
    """Return task → module of a plug-in that generates its documents; the first plug-in that has one is used."""
    found: dict[str, str] = {}
    for package, folder in folders().items():
        for path in sorted((folder / "corpora").glob("[!_]*.py")):
            found.setdefault(path.stem, f"{package}.corpora.{path.stem}")
    return found
