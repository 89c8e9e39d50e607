"""Where the documents of a task have their text, and which of their fields refer to places in it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LabelledSpan:
    """A part of a document's text that has a label: words, or characters where the document is a text."""

    start: int
    end: int
    """Not included."""
    label: str


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of a document that have to change together when its text does.

    Places are indices of words where the text is a list of words, and of characters where it is a text.
    """

    text: str
    """Field with the text, or with the list of words."""
    tags: str = ""
    """Field with one tag per word."""
    sentences: str = ""
    """Field with the places at which sentences begin."""
    starts: tuple[str, ...] = ()
    """Fields with ascending places of single words."""
    texts: str = ""
    """Field with the places at which the texts begin of which the text consists."""
    spans: tuple[str, ...] = ()
    """Fields with a list of objects that have a ``start``, and perhaps an ``end``."""
    entities: str = ""
    """Field with a list of objects whose ``mentions`` are pairs of places."""
    derived: tuple[str, ...] = ()
    """Fields that no longer hold once the text has changed, and are removed then."""
    typed: bool = False
    """Whether the task's labelled spans are mentions with types, which other mentions may replace."""
    fixed: bool = False
    """Whether the text of labelled spans is gold itself, so that nothing in them may change."""
    aligned: bool = False
    """Whether a gold text renders all of the text, so that no sentence may be added."""

    @property
    def in_places(self) -> bool:
        """Whether gold belongs to places in the text, so that another wording of all of it would lose it."""
        return bool(self.tags or self.entities or self.fixed or self.aligned)
