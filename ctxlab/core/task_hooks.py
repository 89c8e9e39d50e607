"""What other parts give a task: functions that mark, precede, enclose, choose, find or relocate words of a document."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ctxlab.core.shape import LabelledSpan
from ctxlab.core.types import BoolArray, Chosen, Encoded, FloatArray, IntArray

Choose = Callable[[FloatArray, BoolArray], Chosen]
"""Chooses the labels of a document's words from outputs (L, C), given which words (L,) any window saw."""


Original = Callable[[str, int, int], tuple[int, int]]
"""Returns the original characters for a field of a record, and start and end in it."""


class Mark(Protocol):
    """Marks the words of documents."""

    @property
    def key(self) -> str:
        """Return what the marks depend on besides the words; part of the key of cached tokens."""
        ...

    def __call__(self, words: Sequence[str]) -> IntArray:
        """Return (L,) marks of the words of a document."""
        ...


class Beside(Protocol):
    """Puts text before every window of a document."""

    @property
    def key(self) -> str:
        """Return what the text depends on besides document and tokenizer; part of the key of cached tokens."""
        ...

    def __call__(self, encoded: Encoded, tokenizer: Any) -> Encoded:
        """Return a document with the tokens of the text among those before every window."""
        ...


class Enclose(Protocol):
    """Writes text around the mentions of entities."""

    @property
    def key(self) -> str:
        """Return what the text depends on besides the types; part of the key of cached tokens."""
        ...

    def __call__(self, kind: str) -> tuple[str, str]:
        """Return what is written before and after a mention of an entity of type ``kind``."""
        ...


FindMentions = Callable[[Sequence[Sequence[str]]], list[list[LabelledSpan]]]
"""Returns the entities in each of several documents, given as their words."""
