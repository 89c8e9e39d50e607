"""Words in other case."""

from typing import Literal

from ctxlab.augment.changing.base import EachWord
from ctxlab.augment.changing.passage import Passage
from ctxlab.core.augmentation import Draw


class Case(EachWord):
    """A chosen word in capitals, in small letters, or with a capital first letter."""

    def __init__(self, dose: float, share: float = 1.0, to: Literal["upper", "lower", "title"] = "upper") -> None:
        """Check the amounts.

        Args:
            dose: Fraction of the words that would look different, above 0 and at most 1.
            share: Fraction of the documents that are changed, 0 to 1.
            to: ``upper``, ``lower`` or ``title``.
        """
        super().__init__(dose, share)
        self.to = to

    def able(self, passage: Passage, index: int) -> bool:
        """Return whether the unit would look different."""
        return self._written(passage.units[index]) != passage.units[index]

    def other(self, passage: Passage, index: int, draw: Draw) -> str:
        """Return the word in the other case."""
        del draw
        return self._written(passage.units[index])

    def _written(self, word: str) -> str:
        if self.to == "title":
            return word[:1].upper() + word[1:].lower()
        return word.upper() if self.to == "upper" else word.lower()
