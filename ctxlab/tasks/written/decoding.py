"""How text is written: ``conf/task/decoding``, checked."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.task import Decoding


def checked_decoding(values: Mapping[str, Any]) -> Decoding:
    """``conf/task/decoding`` as an object.

    Raises:
        UserError: A value that cannot be.
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
            f"task.decoding.top_p={decoding.top_p} top_k={decoding.top_k} keep nothing: give top_p above 0 and up to "
            "1, and top_k of 0 (all) or more."
        )
    if decoding.sample and decoding.num_beams > 1:
        raise UserError(f"task.decoding.num_beams={decoding.num_beams} with sample=true: use one or the other.")
    return decoding
