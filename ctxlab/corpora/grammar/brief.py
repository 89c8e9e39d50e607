"""The parameters of a generated document, shared by all grammars."""

from collections.abc import Sequence
from dataclasses import dataclass

from ctxlab.core.errors import UserError
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.prose import ROOM_FOR_SENTENCE


@dataclass(frozen=True, slots=True)
class Brief:
    """The parameters of the documents of a split; together with an index they determine one document."""

    split: str
    """``train``, ``validation`` or ``test``; no invented name occurs in two of them."""
    seed: int
    """Seed of all random choices, together with the split and the index of a document."""
    words_per_document: int
    """Words of each, punctuation included; each grammar documents of which text."""
    ambiguous_share: float
    """Fraction, 0 to 1, of ambiguous cases, which need two sentences; each grammar documents of what."""
    evidence_distance: Sequence[int]
    """Words between two places, which each grammar documents; values that do not fit are left out."""

    def draw(self, index: int) -> Draw:
        """Return the random generator of one document."""
        return Draw(self.seed, self.split, index)

    def fitting_distances(self, room: int = ROOM_FOR_SENTENCE, *, needed: bool) -> list[int]:
        """Return the values of ``evidence_distance`` that leave ``room`` words in a document.

        Raises:
            UserError: One is ``needed``, and none fits.
        """
        fitting = [distance for distance in self.evidence_distance if distance + room <= self.words_per_document]
        if needed and not fitting:
            raise UserError(
                f"No data.evidence_distance of {list(self.evidence_distance)} fits a document of "
                f"{self.words_per_document} words: give one of at most {max(self.words_per_document - room, 1)}, "
                "or raise data.words_per_document."
            )
        return fitting
