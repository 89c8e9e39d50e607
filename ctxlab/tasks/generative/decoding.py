"""Checks the settings of text generation in ``conf/task/decoding``."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.generation import Decoding


def checked_decoding(values: Mapping[str, Any]) -> Decoding:
    """Return ``conf/task/decoding`` as an object.

    Raises:
        UserError: A name is not known or a value is out of range.
    """
    known = {field.name for field in fields(Decoding)}
    for name in values:
        if name not in known:
            raise UserError(f"task.decoding.{name} is not known: it takes {', '.join(sorted(known))}.")
    decoding = Decoding(**values)
    for name in ("max_new_tokens", "num_beams"):
        if getattr(decoding, name) < 1:
            raise UserError(f"task.decoding.{name}={getattr(decoding, name)} is too small: give at least 1.")
    if decoding.temperature <= 0:
        raise UserError(
            f"task.decoding.temperature={decoding.temperature} is not positive: give a number above 0, or "
            "task/decoding=greedy for the likeliest text."
        )
    if not 0 < decoding.top_p <= 1 or decoding.top_k < 0:
        raise UserError(
            f"task.decoding.top_p={decoding.top_p} with task.decoding.top_k={decoding.top_k} is out of range: give "
            "top_p above 0 and at most 1, and top_k of 0 (all) or more."
        )
    if decoding.sample and decoding.num_beams > 1:
        raise UserError(
            f"task.decoding.num_beams={decoding.num_beams} does not work with task.decoding.sample=true: use one beam, "
            "or sample=false."
        )
    return decoding
