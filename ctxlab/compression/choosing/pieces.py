"""The pieces of a vocabulary that documents use, and those that any text may need."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ctxlab.core.types import Encoded

BYTE = re.compile(r"<0x[0-9A-F]{2}>")
"""Name of a piece for a single byte, in vocabularies that fall back on bytes."""


def used(documents: Sequence[Encoded], least: int) -> set[int]:
    """Return the ids that occur at least ``least`` times in the documents, and all that the task adds to them."""
    counts: Counter[int] = Counter()
    added: set[int] = set()
    for one in documents:
        for ids in (one.input_ids, one.target):
            counts.update(np.asarray(ids).tolist())
        added.update(one.before, one.after, one.query, np.asarray(one.absent).tolist())
    return added | {piece for piece, count in counts.items() if count >= least}


def alphabet(tokenizer: Any) -> set[int]:
    """Return the ids of special, added and single-character pieces, which suffice for any text of known characters."""
    kept = {*tokenizer.all_special_ids, *tokenizer.get_added_vocab().values()}
    kept |= {
        number for piece, number in tokenizer.get_vocab().items() if len(_bare(piece)) <= 1 or BYTE.fullmatch(piece)
    }
    return kept


def _bare(piece: str) -> str:
    """Return a piece without the mark that it goes on, or begins, a word."""
    return piece.removeprefix("##").removeprefix("▁") or piece[:1]


def config_ids(*configs: Any) -> set[int]:
    """Return the ids that ``configs`` name."""
    return {number for config in configs for value in _fields(config).values() for number in _numbers(value)}


def renumber(config: Any, places: dict[int, int]) -> None:
    """Write new ids into ``config``; those that have none are left out."""
    for name, value in _fields(config).items():
        if isinstance(value, int):
            setattr(config, name, places.get(value))
        elif isinstance(value, list):
            setattr(config, name, [places[number] for number in value if number in places])


def _fields(config: Any) -> dict[str, Any]:
    values = vars(config) if config is not None else {}
    return {name: value for name, value in values.items() if name.endswith(("_token_id", "_token_ids", "_tokens"))}


def _numbers(value: Any) -> list[int]:
    several = value if isinstance(value, list) else [value]
    return [one for one in several if isinstance(one, int) and not isinstance(one, bool)]
