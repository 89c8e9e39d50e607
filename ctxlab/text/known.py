"""Which characters of a text a tokenizer knows: those behind its unknown token are lost to the model.

Shape legend: L tokens of a document.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

NOTED, LOUD = 0.01, 0.05
"""Shares of characters behind unknown tokens from which a report says so, and says so loudly."""

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Known:
    """Characters of texts, by what a tokenizer makes of them."""

    characters: int
    unknown: int
    """Behind the unknown token."""
    split: int
    """Whose bytes are several tokens: known, but read piece by piece."""

    def __add__(self, other: "Known") -> "Known":
        return Known(self.characters + other.characters, self.unknown + other.unknown, self.split + other.split)

    @property
    def share(self) -> float:
        """Of the characters, those behind known tokens; 1 where there is none."""
        return 1 - self.unknown / self.characters if self.characters else 1.0

    @property
    def split_share(self) -> float:
        """Of the characters, those that are several tokens."""
        return self.split / self.characters if self.characters else 0.0


NONE = Known(0, 0, 0)

_RARE = "\U00012000 \U00010930 \U00016f00 \u1a00"
"""A letter each of cuneiform, Lydian, Miao and Buginese."""

_UNKNOWN: WeakKeyDictionary[Any, int | None] = WeakKeyDictionary()
"""What ``unknown_id`` found of each tokenizer."""


def unknown_id(tokenizer: Any) -> int | None:
    """Token id that the tokenizer gives for characters it does not know; None where it knows all.

    Found by trying characters of scripts that no vocabulary has.
    """
    if tokenizer not in _UNKNOWN:
        ids = tokenizer(_RARE, add_special_tokens=False, verbose=False)["input_ids"]
        _UNKNOWN[tokenizer] = tokenizer.unk_token_id if tokenizer.unk_token_id in ids else None
    return _UNKNOWN[tokenizer]


def known_characters(input_ids: Integers, starts: Integers, ends: Integers, unknown_id: int | None) -> Known:
    """Characters of a text by the tokens that have them; white space that no token has does not count.

    Args:
        input_ids: (L,) tokens of a whole document.
        starts: (L,) first character of each.
        ends: (L,) character after each, never falling.
        unknown_id: Of the tokenizer; None where it has none, as one of bytes.
    """
    unknown = input_ids == unknown_id if unknown_id is not None else np.zeros(len(input_ids), bool)
    again = np.flatnonzero((starts[1:] < ends[:-1]) & ~unknown[1:])  # a token inside the character of the one before
    return Known(_covered(starts, ends), _covered(starts[unknown], ends[unknown]), len(np.unique(starts[1:][again])))


def _covered(starts: Integers, ends: Integers) -> int:
    """Characters that are in any of these stretches, whose ends never fall."""
    before = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
    return int(np.maximum(ends - np.maximum(starts, before), 0).sum())


def known_words(words: Sequence[str], input_ids: Integers, word_ids: Integers, unknown_id: int | None) -> Known:
    """The same of a list of words: one with an unknown token among its tokens is lost whole.

    Args:
        words: Of a document.
        input_ids: (L,)
        word_ids: (L,) index of the word of each token.
        unknown_id: As above.
    """
    sizes = np.asarray([len(word) for word in words], np.int64)
    if unknown_id is None:
        return Known(int(sizes.sum()), 0, 0)
    lost = np.unique(word_ids[input_ids == unknown_id])
    return Known(int(sizes.sum()), int(sizes[lost].sum()), 0)


def total(parts: Iterable[Known]) -> Known:
    """The sum over documents."""
    return sum(parts, NONE)


def notes(known: Known, where: str) -> list[str]:
    """What a report says of unknown characters of ``where`` (``validation``): nothing, a sentence, or a loud one."""
    share = known.unknown / max(known.characters, 1)
    if share <= NOTED:
        if known.split_share <= LOUD:
            return []
        return [
            f"The tokenizer has no piece of its own for {known.split_share:.1%} of the characters of {where} and reads "
            "each as several tokens: a context holds fewer of them than of English."
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
