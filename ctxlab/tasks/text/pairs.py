"""The special tokens by which a tokenizer joins two texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.tasks.text.subwords import frame


@dataclass(frozen=True, slots=True)
class PairFrame:
    """Special token ids before, between and after a question and a document."""

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]


def pair_frame(tokenizer: Any) -> PairFrame:
    """Return the special tokens, found by encoding a test pair: [CLS] … [SEP] … [SEP], <s> … </s></s> … </s>.

    Where the tokenizer puts nothing between two texts (most decoders), the separator is a line end, or else what
    follows a single text.
    """
    first, second = (_ids(tokenizer, word) for word in ("time", "town"))
    whole = list(tokenizer("time", "town", add_special_tokens=True, verbose=False)["input_ids"])
    one = _find(whole, first, 0)
    two = _find(whole, second, one + len(first))
    between = whole[one + len(first) : two]
    if not between:
        # No separator in the template: frame the pair like a single text.
        before, after = frame(tokenizer)
        return PairFrame(before, tuple(_ids(tokenizer, "\n")) or after, after)
    return PairFrame(tuple(whole[:one]), tuple(between), tuple(whole[two + len(second) :]))


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def _find(whole: Sequence[int], part: Sequence[int], start: int) -> int:
    for place in range(start, len(whole) - len(part) + 1):
        if list(whole[place : place + len(part)]) == list(part):
            return place
    raise UserError(
        "The tokenizer encodes a text differently in a pair, so a question cannot precede windows: use another model."
    )
