"""Which characters of a text a tokenizer knows: those covered by its unknown token are lost to the model.

Shape legend: L tokens of a document.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

NOTED, LOUD = 0.01, 0.05
"""Fractions of unknown characters above which a report has a note, and a warning."""

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Known:
    """Counts of characters of texts, by how a tokenizer encodes them."""

    characters: int
    unknown: int
    """Characters covered by the unknown token."""
    split: int
    """Characters encoded as several byte tokens: known, but longer."""

    def __add__(self, other: "Known") -> "Known":
        return Known(self.characters + other.characters, self.unknown + other.unknown, self.split + other.split)

    @property
    def share(self) -> float:
        """Return the fraction of characters covered by known tokens; 1 where there is no character."""
        return 1 - self.unknown / self.characters if self.characters else 1.0

    @property
    def split_share(self) -> float:
        """Return the fraction of characters that are encoded as several tokens."""
        return self.split / self.characters if self.characters else 0.0


NONE = Known(0, 0, 0)

_RARE = "\U00012000 \U00010930 \U00016f00 \u1a00"
"""One letter each of cuneiform, Lydian, Miao and Buginese."""

_UNKNOWN: WeakKeyDictionary[Any, int | None] = WeakKeyDictionary()
"""Cached results of ``unknown_id``."""


def unknown_id(tokenizer: Any) -> int | None:
    """Return the token id for characters that the tokenizer does not know; None where it knows all.

    It is found by encoding characters of scripts that no vocabulary has.
    """
    if tokenizer not in _UNKNOWN:
        ids = tokenizer(_RARE, add_special_tokens=False, verbose=False)["input_ids"]
        _UNKNOWN[tokenizer] = tokenizer.unk_token_id if tokenizer.unk_token_id in ids else None
    return _UNKNOWN[tokenizer]


def known_characters(input_ids: Integers, starts: Integers, ends: Integers, unknown_id: int | None) -> Known:
    """Count the characters of a text by their tokens; white space that no token covers does not count.

    Args:
        input_ids: (L,) tokens of a whole document.
        starts: (L,) first character of each.
        ends: (L,) index after the last character of each, non-decreasing.
        unknown_id: The unknown token; None where there is none, as for byte-level tokenizers.
    """
    unknown = input_ids == unknown_id if unknown_id is not None else np.zeros(len(input_ids), bool)
    again = np.flatnonzero((starts[1:] < ends[:-1]) & ~unknown[1:])  # within the previous token's character
    return Known(covered(starts, ends), covered(starts[unknown], ends[unknown]), len(np.unique(starts[1:][again])))


def covered(starts: Integers, ends: Integers) -> int:
    """Return the number of characters in the union of these spans, whose ends are non-decreasing."""
    before = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
    return int(np.maximum(ends - np.maximum(starts, before), 0).sum())


def known_words(words: Sequence[str], input_ids: Integers, word_ids: Integers, unknown_id: int | None) -> Known:
    """Count the characters of a list of words; a word with an unknown token counts as unknown entirely.

    Args:
        words: Words of a document.
        input_ids: (L,) tokens.
        word_ids: (L,) index of the word of each token.
        unknown_id: The unknown token; None where there is none.
    """
    sizes = np.asarray([len(word) for word in words], np.int64)
    if unknown_id is None:
        return Known(int(sizes.sum()), 0, 0)
    lost = np.unique(word_ids[input_ids == unknown_id])
    return Known(int(sizes.sum()), int(sizes[lost].sum()), 0)


def total(parts: Iterable[Known]) -> Known:
    """Return the sum over documents."""
    return sum(parts, NONE)


def notes(known: Known, where: str) -> list[str]:
    """Return a note or a warning on unknown characters of ``where`` (such as ``validation``), if there are many."""
    share = known.unknown / max(known.characters, 1)
    if share <= NOTED:
        if known.split_share <= LOUD:
            return []
        unknown = "few characters are" if known.unknown else "no character is"
        return [
            f"The tokenizer encodes {known.split_share:.1%} of the characters of {where} as several tokens each: "
            f"{unknown} unknown to it, but fewer of them than of English letters fit a context."
        ]
    said = (
        f"the tokenizer reads {known.unknown:,} of {known.characters:,} characters ({share:.1%}) of {where} as unknown"
    )
    if share <= LOUD:
        return [f"{said[0].upper()}{said[1:]} tokens, so that the model cannot tell them apart."]
    return [
        f"WARNING: {said} tokens: no figure here says anything about this language or script. Choose a model whose "
        "tokenizer knows it (model.path=…; tiny models take model.vocabulary=bytes)."
    ]
