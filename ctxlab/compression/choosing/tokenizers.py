"""Tokenizers with fewer pieces: the description of a fast tokenizer, rewritten.

Texts made of kept pieces alone are divided as before. WordPiece takes the longest piece that fits, and no longer one
is added; a merge of BPE that was applied in a word is part of how a piece of it was made, so that it is kept, and
others were not applied; Unigram's best division is among those that are left.
"""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from tokenizers import Tokenizer

from ctxlab.core.errors import UserError

State = dict[str, Any]
"""Description of a tokenizer's model."""


def state_of(tokenizer: Any) -> State:
    """Return the description of a fast tokenizer."""
    found: State = json.loads(tokenizer.backend_tokenizer.to_str())
    return found


def check_known(tokenizer: Any) -> None:
    """Refuse a tokenizer that ``smaller`` cannot rewrite.

    Raises:
        UserError: Names its kind.
    """
    model = state_of(tokenizer)["model"]
    kind, marks = _kind(model), [model.get(name) for name in ("continuing_subword_prefix", "end_of_word_suffix")]
    if kind not in WRITERS or (kind == "BPE" and any(marks)):
        marked = " that marks the ends of words" if kind in WRITERS else ""
        raise UserError(
            f"compression=vocabulary cannot rewrite a tokenizer of kind {kind}{marked}, only {', '.join(WRITERS)}: use "
            "another compression=."
        )


def closed(tokenizer: Any, kept: set[int]) -> set[int]:
    """Return ``kept`` with the pieces of which the kept ones are merged."""
    model = state_of(tokenizer)["model"]
    if _kind(model) != "BPE":
        return kept
    ids = model["vocab"]
    names = {number: piece for piece, number in ids.items()}
    made = [_derivation(names[number], _ranks(model)) for number in kept if number in names] if kept else []
    return kept | {ids[piece] for merges in made for pair in merges for piece in (*pair, "".join(pair)) if piece in ids}


def smaller(tokenizer: Any, kept: Sequence[int]) -> Any:
    """Return a copy of ``tokenizer`` that has only the pieces with the ids ``kept``, renumbered in their order.

    Raises:
        UserError: The library does not load what was written as it was meant.
    """
    state = state_of(tokenizer)
    places = {old: new for new, old in enumerate(kept)}
    names = {piece: places[number] for piece, number in tokenizer.get_vocab().items() if number in places}
    WRITERS[_kind(state["model"])](state["model"], places)
    state["added_tokens"] = [one | {"id": places[one["id"]]} for one in state["added_tokens"] if one["id"] in places]
    _renumber_ends(state["post_processor"], names)
    made = copy.deepcopy(tokenizer)
    made._tokenizer = Tokenizer.from_str(json.dumps(state))
    if made.get_vocab() != names:
        raise UserError(
            f"compression=vocabulary cannot renumber the added tokens of this {type(tokenizer).__name__}: use another "
            "compression=."
        )
    return made


def _kind(model: State) -> str:
    """Return the kind of a tokenizer's model, which older descriptions leave out."""
    if "type" in model:
        return str(model["type"])
    return "BPE" if "merges" in model else "WordPiece"


def _write_named(model: State, places: Mapping[int, int]) -> None:
    model["vocab"] = {piece: places[number] for piece, number in model["vocab"].items() if number in places}


def _write_merged(model: State, places: Mapping[int, int]) -> None:
    """Keep the merges that make kept pieces."""
    ids, ranks = model["vocab"], _ranks(model)
    needed = {pair for piece, number in ids.items() if number in places for pair in _derivation(piece, ranks)}
    _write_named(model, places)
    model["merges"] = [list(pair) for pair in ranks if pair in needed]


def _write_scored(model: State, places: Mapping[int, int]) -> None:
    model["vocab"] = [pair for number, pair in enumerate(model["vocab"]) if number in places]
    model["unk_id"] = places.get(model["unk_id"])


WRITERS: dict[str, Callable[[State, Mapping[int, int]], None]] = {
    "WordPiece": _write_named,
    "WordLevel": _write_named,
    "BPE": _write_merged,
    "Unigram": _write_scored,
}
"""Kind of tokenizer → what leaves only some pieces in its description."""


def _ranks(model: State) -> dict[tuple[str, str], int]:
    """Return the merges of BPE with their order; older descriptions have them as text."""
    pairs = (tuple(one.split(" ", 1)) if isinstance(one, str) else tuple(one) for one in model["merges"])
    return {(pair[0], pair[1]): rank for rank, pair in enumerate(pairs)}


def _derivation(piece: str, ranks: Mapping[tuple[str, str], int]) -> list[tuple[str, str]]:
    """Return the merges that make ``piece`` of its characters, in order."""
    parts, merges = list(piece), []
    while len(parts) > 1:
        pairs = list(pairwise(parts))
        best = min(pairs, key=lambda pair: ranks.get(pair, len(ranks)))
        if best not in ranks:
            break
        merges.append(best)
        parts = _merged(parts, best)
    return merges


def _merged(parts: Sequence[str], pair: tuple[str, str]) -> list[str]:
    found: list[str] = []
    place = 0
    while place < len(parts):
        if tuple(parts[place : place + 2]) == pair:
            found.append("".join(pair))
            place += 2
        else:
            found.append(parts[place])
            place += 1
    return found


def _renumber_ends(state: State | None, names: Mapping[str, int]) -> None:
    """Renumber the special tokens that a post-processor adds to a text."""
    for step in (state or {}).get("processors", [state] if state else []):
        for special in (step.get("special_tokens") or {}).values():
            special["ids"] = [names[token] for token in special["tokens"]]
        for end in ("sep", "cls"):
            if end in step:
                step[end] = [step[end][0], names[step[end][0]]]
