"""Numbers that tokens carry besides their text: what a model takes, and what a record of a task must have."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ctxlab.core.errors import UserError

NUMBERS = "numbers"
"""Name of the input of a model with numbers (B, W, F), of its module among the added ones and of its note."""

NONE, FLOATS, BOXES = "none", "floats", "boxes"
KINDS = (NONE, FLOATS, BOXES)
"""Values of ``model.numbers.kind``."""

LARGEST = 1000
"""Largest coordinate of a box: the width and the height of a page, as in LayoutLM (arXiv:1912.13318)."""

BOX = ("x0", "y0", "x1", "y1", "page")
"""The numbers of a box; all 0 for a word without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The numbers of a token that a model takes, the options of ``model.numbers``."""

    kind: str = NONE
    """``none``, ``floats`` (a projection of any numbers) or ``boxes`` (places on a page)."""
    size: int = 1
    """Of floats: how many a word has."""
    buckets: int = 64
    """Of boxes: parts into which each side of a page is divided."""
    pages: int = 16
    """Of boxes: pages that are told apart; later ones are as the last."""

    @classmethod
    def of(cls, given: Any) -> "Numbers":
        """Read the options of ``model.numbers``, a mapping as the user wrote it; None for no numbers.

        Raises:
            UserError: A key or value is not valid.
        """
        known = {one.name: one.default for one in fields(cls)}
        if given is not None and not isinstance(given, Mapping):
            raise UserError(f"model.numbers={given} does not say what is read: write model.numbers.kind={given}.")
        for key, value in (given or {}).items():
            if key not in known:
                raise UserError(f"model.numbers.{key} is not known: use {', '.join(known)}.")
            if isinstance(value, bool) or not isinstance(value, type(known[key])):
                raise UserError(f"model.numbers.{key}={value} is not a value such as {known[key]}.")
        numbers = cls(**(given or {}))
        if numbers.kind not in KINDS:
            raise UserError(f"model.numbers.kind={numbers.kind} is not one of {', '.join(KINDS)}.")
        for name in ("size", "buckets", "pages"):
            if getattr(numbers, name) < 1:
                raise UserError(f"model.numbers.{name}={getattr(numbers, name)} must be at least 1.")
        return numbers

    @property
    def is_on(self) -> bool:
        """Whether the model takes any."""
        return self.kind != NONE

    @property
    def count(self) -> int:
        """Return how many numbers a token has (F)."""
        return {NONE: 0, FLOATS: self.size, BOXES: len(BOX)}[self.kind]
