"""Protocol of privacy: what in a document is personal, and what stands for it in all that a model reads and writes."""

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from ctxlab.core.contract import Component

PROTECTION = "protection"
"""Field of a document with its ``Protection``."""


@dataclass(frozen=True, slots=True)
class Find:
    """A stretch of a text that is personal."""

    start: int
    end: int
    """Not included."""
    kind: str
    """``EMAIL``, ``CARD``, the type of an entity."""
    value: str
    """What it says, however it is written: digits alone of a number. Equal values have the same pseudonym."""


Replace = Callable[[Find, str], str]
"""Returns what stands for a find, given how it is written."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What stands for a stretch of a text: characters of the original, and of the protected text."""

    kind: str
    start: int
    end: int
    new_start: int
    new_end: int


@dataclass(frozen=True)
class Protection:
    """What was replaced in a record, by field (``text``, ``contexts[2]``); it holds places, and nothing personal."""

    edits: Mapping[str, Sequence[Edit]] = field(default_factory=dict)
    """In order, without overlaps, in characters; of a list of words in those of its running text."""
    words: Mapping[str, Sequence[tuple[str, int, int]]] = field(default_factory=dict)
    """Of a list of words: kind, first and last word (not included) of each find."""

    def original(self, name: str, start: int, end: int) -> tuple[int, int]:
        """Return characters of the original text for those of the protected one, in the field ``name``.

        A place within a replacement is that of all it stands for.
        """
        edits = self.edits.get(name, ())
        return _start(edits, start), _end(edits, end)

    def plain(self) -> list[dict[str, object]]:
        """Return kind and place in the original of all that was replaced, as it is written to records."""
        found: list[dict[str, object]] = []
        for name in {**self.edits, **self.words}:
            if name in self.words:
                found += [
                    {"field": name, "kind": kind, "start_word": start, "end_word": end}
                    for kind, start, end in self.words[name]
                ]
            else:
                found += [
                    {"field": name, "kind": edit.kind, "start_char": edit.start, "end_char": edit.end}
                    for edit in self.edits[name]
                ]
        return found


def _start(edits: Sequence[Edit], place: int) -> int:
    index = bisect_right(edits, place, key=lambda edit: edit.new_start) - 1
    if index < 0:
        return place
    edit = edits[index]
    return edit.start if place < edit.new_end else place + edit.end - edit.new_end


def _end(edits: Sequence[Edit], place: int) -> int:
    index = bisect_left(edits, place, key=lambda edit: edit.new_start) - 1
    if index < 0:
        return place
    edit = edits[index]
    return edit.end if place <= edit.new_end else place + edit.end - edit.new_end


class Privacy(Component, ABC):
    """A way to find what is personal; each is one file under ``ctxlab/privacy``."""

    acts: ClassVar[bool] = True
    """Whether anything is ever replaced."""
    run: str | None = None
    """Directory of a training run whose model finds names, which ``take_names`` is given then."""

    @abstractmethod
    def find(self, texts: Sequence[str]) -> list[list[Find]]:
        """Return what is personal in each text: in order, without overlaps."""

    @abstractmethod
    def replacement(self, find: Find, written: str) -> str:
        """Return what stands for a find that is ``written`` so."""

    @abstractmethod
    def name(self, find: Find) -> str:
        """Return what stands for a find in the name of a document: different values have different names."""

    def take_names(self, names: Callable[[Sequence[str]], list[list[Find]]]) -> None:
        """Take what finds names in texts; called once where ``run`` is set, before ``find``."""
        del names
