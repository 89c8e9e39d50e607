"""Distances of the evidence that a document has room for."""

from collections.abc import Sequence

from ctxlab.core.errors import UserError

ROOM_FOR_SENTENCE = 24
"""Words within which every sentence fits that is not written to measure."""


def fitting_distances(
    distances: Sequence[int], words_per_document: int, room: int = ROOM_FOR_SENTENCE, *, needed: bool
) -> list[int]:
    """Those of ``distances`` that leave ``room`` words in a document.

    Raises:
        UserError: One is ``needed``, and there is none.
    """
    fitting = [distance for distance in distances if distance + room <= words_per_document]
    if needed and not fitting:
        raise UserError(
            f"No data.evidence_distance of {list(distances)} fits a document of {words_per_document} words: "
            f"give one of at most {max(words_per_document - room, 1)}, or raise data.words_per_document."
        )
    return fitting
