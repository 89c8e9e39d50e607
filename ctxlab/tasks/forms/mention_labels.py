"""How the label of a mention's first token refers to its document, and what is inserted around mentions."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import GIVEN, NO_LABEL, SENTENCE, IntArray
from ctxlab.tasks.records.mentions import Fact

PLACE_BITS = 20
"""Low bits of a label: the index of the first word of a mention; the bits above are the document's key."""

KEY_BITS = 62 - PLACE_BITS

KEPT_FIELDS = ("sentence_starts", "global_words")
"""Fields of a record that are passed on to strategies as marks."""


Tokens = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Annotation:
    """What the loss needs of a document besides the states of its tokens."""

    owners: Mapping[int, tuple[int, ...]]
    """First word of a mention to the entities that it belongs to."""
    types: tuple[str, ...]
    relations: tuple[Fact, ...]


class Annotations:
    """What the loss needs of every document, under the keys that labels contain."""

    def __init__(self) -> None:
        self._known: dict[int, Annotation] = {}

    def __getitem__(self, key: int) -> Annotation:
        return self._known[key]

    def remember(self, fields: Mapping[str, Any], origin: str) -> int:
        """Store what the loss needs of a document; equal content has the same key.

        Args:
            fields: Fields of the document, with its ``entities`` and ``relations``.
            origin: Its place, for messages.

        Raises:
            UserError: It has more words than a label can name.
        """
        owners: dict[int, tuple[int, ...]] = {}
        for index, entity in enumerate(fields["entities"]):
            for start, _ in entity["mentions"]:
                owners[start] = tuple(dict.fromkeys((*owners.get(start, ()), index)))
        if max(owners, default=0) >= 1 << PLACE_BITS:
            raise UserError(
                f"{origin} has a mention at word {max(owners):,}, and at most {1 << PLACE_BITS:,} words are supported: "
                "split the document in two."
            )
        known = Annotation(owners, tuple(e["type"] for e in fields["entities"]), tuple(fields["relations"]))
        digest = hashlib.sha256(json.dumps([fields["entities"], fields["relations"]]).encode()).digest()
        key = int.from_bytes(digest[:8], "big") >> (64 - KEY_BITS)
        while self._known.setdefault(key, known) != known:
            key = (key + 1) % (1 << KEY_BITS)
        return key


def mention_labels(word_ids: IntArray, fields: Mapping[str, Any]) -> IntArray:
    """Return (L,) document key and word index at the first token of each mention; all ``NO_LABEL`` without gold."""
    labels = np.full(len(word_ids), NO_LABEL, dtype=np.int64)
    if "key" in fields:
        first = np.flatnonzero(np.diff(word_ids, prepend=-1))
        starts = sorted({start for entity in fields["entities"] for start, _ in entity["mentions"]})
        labels[first[starts]] = (fields["key"] << PLACE_BITS) + np.array(starts, dtype=np.int64)
    return labels


def word_marks(word_ids: IntArray, fields: Mapping[str, Any]) -> IntArray:
    """Return (L,) marks of the words at which sentences begin, and of those that the record lists."""
    first, marks = np.flatnonzero(np.diff(word_ids, prepend=-1)), np.zeros(len(word_ids), dtype=np.int64)
    for name, mark in zip(KEPT_FIELDS, (SENTENCE, GIVEN), strict=True):
        marks[first[np.asarray(fields.get(name, ()), dtype=np.int64)]] += mark
    return marks


def enclosed(
    input_ids: IntArray,
    word_ids: IntArray,
    entities: Sequence[Mapping[str, Any]],
    around: Callable[[str], tuple[Tokens, Tokens]],
) -> tuple[IntArray, IntArray]:
    """Return tokens with others before and after every mention, and the words that they belong to.

    What stands before a mention belongs to its first word, and what stands after it to its last one. Of nested mentions
    the longer ones have theirs outside; the same tokens at the same side of a word are there once.

    Args:
        input_ids: (L,) tokens.
        word_ids: (L,) word of each.
        entities: The document's entities, with their types and mentions.
        around: Type of an entity → tokens before and after its mentions.
    """
    found = {(end - start, start, end, *around(entity["type"])) for entity in entities
             for start, end in entity["mentions"]}  # fmt: skip
    by_size = sorted(found)  # the innermost first
    added = [(end - 1, 1, after) for _, _, end, _, after in by_size]
    added += [(start, 0, before) for _, start, _, before, _ in reversed(by_size)]
    places: list[int] = []
    tokens: list[int] = []
    owners: list[int] = []
    for word, is_after, ids in dict.fromkeys(added):
        places += [int(np.searchsorted(word_ids, word + is_after))] * len(ids)
        tokens += ids
        owners += [word] * len(ids)
    # At one place np.insert keeps the order of the list: what ends a mention comes before what begins the next.
    return np.insert(input_ids, places, tokens), np.insert(word_ids, places, owners)


def by_document(codes: Sequence[int]) -> list[tuple[int, list[int], list[int]]]:
    """Group labels by document: (key, rows, words) in order of first occurrence."""
    found: dict[int, tuple[list[int], list[int]]] = {}
    for row, code in enumerate(codes):
        rows, places = found.setdefault(code >> PLACE_BITS, ([], []))
        rows.append(row)
        places.append(code & ((1 << PLACE_BITS) - 1))
    return [(key, rows, places) for key, (rows, places) in found.items()]
