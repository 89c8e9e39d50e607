"""How the label of a mention's first token refers to its document, and what is inserted around mentions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctxlab.core.types import GIVEN, NO_LABEL, SENTENCE, IntArray
from ctxlab.tasks.records.mentions import Fact

PLACE_BITS = 20
"""Low bits of a label: the index of the first word of a mention; the bits above are the document's key."""

KEY_BITS = 62 - PLACE_BITS

KEPT_FIELDS = ("sentence_starts", "global_words")
"""Fields of a record that are passed on to strategies as marks."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """What the loss needs of a document besides the states of its tokens."""

    owners: Mapping[int, tuple[int, ...]]
    """First word of a mention to the entities that it belongs to."""
    types: tuple[str, ...]
    relations: tuple[Fact, ...]


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


def with_markers(
    input_ids: IntArray, word_ids: IntArray, entities: Sequence[Mapping[str, Any]], tokenizer: Any
) -> tuple[IntArray, IntArray]:
    """Return tokens with a marker before and after every mention, and the words that they belong to.

    Args:
        input_ids: (L,) tokens.
        word_ids: (L,) word of each.
        entities: The document's entities, with their mentions.
        tokenizer: Has the token of the marker, an asterisk.
    """
    mark = tokenizer("*", add_special_tokens=False, verbose=False)["input_ids"][-1]
    starts = sorted({start for entity in entities for start, _ in entity["mentions"]})
    lasts = sorted({end - 1 for entity in entities for _, end in entity["mentions"]})
    # Where one mention ends and the next begins, the closing marker belongs to the previous word.
    places = [*np.searchsorted(word_ids, lasts, side="right"), *np.searchsorted(word_ids, starts)]
    return np.insert(input_ids, places, mark), np.insert(word_ids, places, [*lasts, *starts])


def by_document(codes: Sequence[int]) -> list[tuple[int, list[int], list[int]]]:
    """Group labels by document: (key, rows, words) in order of first occurrence."""
    found: dict[int, tuple[list[int], list[int]]] = {}
    for row, code in enumerate(codes):
        rows, places = found.setdefault(code >> PLACE_BITS, ([], []))
        rows.append(row)
        places.append(code & ((1 << PLACE_BITS) - 1))
    return [(key, rows, places) for key, (rows, places) in found.items()]
