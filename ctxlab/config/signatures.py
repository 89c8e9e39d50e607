"""Constructor signatures read from source code without importing it, which would import torch."""

import ast
import importlib.util
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from ctxlab.core import plugins

_PLAIN: dict[str, Any] = {
    "__builtins__": {}, "bool": bool, "float": float, "int": int, "str": str, "list": list, "tuple": tuple,
    "Any": Any, "Literal": Literal, "Sequence": Sequence,
}  # fmt: skip
"""Names that an annotation may use to be checked here; others are checked when the class is imported."""


def classes(module: str) -> list[str]:
    """Return the names of the classes that a module of ctxlab or of a plug-in defines."""
    return [node.name for node in ast.walk(_tree(module)) if isinstance(node, ast.ClassDef)]


def annotations(module: str, name: str) -> dict[str, Any]:
    """Return parameter → annotation of a class's ``__init__``, else of its dataclass fields, for simple annotations.

    Empty where the class, or what it inherits its constructor from, is not in the sources of ctxlab or of a plug-in.
    """
    found = _class(module, name)
    if found is None:
        return {}
    init = next((node for node in found.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"), None)
    if init is not None:
        parameters = [*init.args.args, *init.args.kwonlyargs]
        return dict(_evaluated((parameter.arg, parameter.annotation) for parameter in parameters))
    inherited: dict[str, Any] = {}
    for base in found.bases:
        inherited |= annotations(*_origin(module, base.id)) if isinstance(base, ast.Name) else {}
    fields = ((node.target, node.annotation) for node in found.body if isinstance(node, ast.AnnAssign))
    own = _evaluated((target.id, annotation) for target, annotation in fields if isinstance(target, ast.Name))
    return inherited | dict(own)


def names(module: str, name: str, attribute: str) -> set[str]:
    """Return the strings in an attribute of a class, its own or inherited; empty if it has none."""
    found = _class(module, name)
    if found is None:
        return set()
    for node in found.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == attribute:
            inner = ast.walk(node.value) if node.value is not None else ()
            return {one.value for one in inner if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    bases = (_origin(module, base.id) for base in found.bases if isinstance(base, ast.Name))
    return next((inherited for base in bases if (inherited := names(*base, attribute))), set())


def _class(module: str, name: str) -> ast.ClassDef | None:
    return next((node for node in _tree(module).body if isinstance(node, ast.ClassDef) and node.name == name), None)


@cache
def _tree(module: str) -> ast.Module:
    if module.split(".")[0] == "ctxlab":
        spec = importlib.util.find_spec(module)
        file = Path(spec.origin) if spec and spec.origin else None
    else:
        file = plugins.source(module)
    return ast.parse(file.read_text(encoding="utf-8")) if file else ast.Module([], [])


def _origin(module: str, name: str) -> tuple[str, str]:
    """Return module and name under which ``name`` is defined."""
    for node in _tree(module).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if name == (alias.asname or alias.name):
                    return node.module, alias.name
    return module, name


def _evaluated(pairs: Iterator[tuple[str, ast.expr | None]]) -> Iterator[tuple[str, Any]]:
    for name, annotation in pairs:
        if annotation is not None:
            try:
                yield name, eval(ast.unparse(annotation), dict(_PLAIN))  # noqa: S307 (our own source, plain names)
            except (NameError, TypeError, AttributeError):
                continue
