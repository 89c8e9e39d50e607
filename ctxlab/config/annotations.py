"""Checks of values against the annotations of a constructor, as far as these are simple types."""

import inspect
import types
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin

from ctxlab.core.errors import UserError

WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", type(None): "null"}


def check(cls: type, values: Mapping[str, Any], place: str) -> None:
    """Refuse a value whose type does not match the annotation of its parameter.

    Raises:
        UserError: names key, value and the expected type.
    """
    check_values(_annotations(cls), values, place)


def check_values(declared: Mapping[str, Any], values: Mapping[str, Any], place: str) -> None:
    """Do the same for annotations given by the names of their parameters."""
    for name, annotation in declared.items():
        if name in values and not _fits(annotation, values[name]):
            key = f"{place}.{name}" if place else name
            raise UserError(f"{key}={values[name]} is not {_words(annotation)}: give {_words(annotation)}.")


def _annotations(cls: type) -> dict[str, Any]:
    try:
        parameters = inspect.signature(cls, eval_str=True).parameters.values()
    except (NameError, TypeError, ValueError):  # names that exist for type checkers only
        return {}
    return {parameter.name: parameter.annotation for parameter in parameters}


def _fits(annotation: Any, value: Any) -> bool:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return any(_fits(choice, value) for choice in get_args(annotation))
    if origin is Literal:
        return value in get_args(annotation)
    if _is_sequence(origin or annotation):
        return isinstance(value, (list, tuple))
    if annotation is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if annotation in (bool, str):
        return isinstance(value, annotation)
    if annotation in (None, type(None)):
        return value is None
    return True


def _is_sequence(annotation: Any) -> bool:
    return annotation in (list, tuple, Sequence, Collection, Iterable)


def _words(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(_words(choice) for choice in get_args(annotation))
    if origin is Literal:
        return " or ".join(map(str, get_args(annotation)))
    if _is_sequence(origin or annotation):
        return "a list such as [a, b]"
    return WORDS.get(annotation, f"a {getattr(annotation, '__name__', annotation)}")
