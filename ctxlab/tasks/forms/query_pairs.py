"""Training pairs of retrieval: a query, and windows of each document that answers it.

Shape legend: Q tokens of a query, P documents that answer it, T tokens of them all, N pairs of a pass.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ctxlab.core.types import ADDED, Encoded, IntArray, Window
from ctxlab.tasks.forms.embedding import group_of, same_group
from ctxlab.tasks.records.questions import PER_TOKEN, drawn_stretch
from ctxlab.tasks.text.encoding import Pieces

NOWHERE = -1
"""Place of evidence that is not known."""

TELLING = 0.25
"""Least share of a window: of 128 tokens a window for 126 leaves two, that no query could be told by."""


@dataclass(frozen=True, slots=True)
class Positive:
    """A document that answers a query."""

    group: int
    """Number that stands for it in labels."""
    pieces: Pieces
    """Its tokens."""
    evidence: tuple[int, int] = (NOWHERE, NOWHERE)
    """First and last token of the evidence."""


class Answering:
    """The documents that answer each query, by the numbers that stand for both in the labels of a pass."""

    def __init__(self) -> None:
        self._groups: dict[int, frozenset[int]] = {}

    def remember(self, query: str, relevant: Sequence[str]) -> int:
        """Return the number of a query, the same for the same documents.

        Args:
            query: What tells it from others.
            relevant: Ids of the documents that answer it.
        """
        key, groups = number_of(query), frozenset(map(number_of, relevant))
        while self._groups.setdefault(key, groups) != groups:
            key += 1
        return key

    def partners(self, keys: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
        """Return (N, N) bool: which documents ``groups`` (N,) of a pass would be right for each query ``keys`` (N,)."""
        columns = groups.tolist()
        known = [self._groups.get(key, frozenset()) for key in keys.tolist()]
        right = torch.tensor([[group in own for group in columns] for own in known], dtype=torch.bool)
        return same_group(groups) | right.reshape(len(known), len(columns)).to(groups.device)


def number_of(name: str) -> int:
    """Return 30 bits that stand for a document or query in labels, which are twice that number, or one more."""
    return group_of(name) >> 2


def evidence_in(pieces: Pieces, probes: Sequence[Mapping[str, Any]], document: str) -> tuple[int, int]:
    """Return the first and last token of the first piece of known evidence in a document."""
    piece = next((one for one in probes if one["document"] == document), None)
    if piece is None:
        return NOWHERE, NOWHERE
    end = len(pieces.ends) - 1
    first = int(np.searchsorted(pieces.ends, piece["start"], side="right"))
    last = int(np.searchsorted(pieces.starts, piece["end"], side="left")) - 1
    return min(first, end), min(max(last, first), end)


def with_positives(encoded: Encoded, positives: Sequence[Positive], key: int) -> Encoded:
    """Return a query with the tokens of its documents (T,) as ``target``, and in ``absent`` what tells them apart.

    ``absent`` is the number of the query, then for each document its number, tokens, and evidence (first, last token).

    Args:
        encoded: The query (Q,).
        positives: The documents that answer it.
        key: Number of the query.
    """
    target = np.concatenate([one.pieces.input_ids for one in positives])
    each = [(one.group, len(one.pieces.input_ids), *one.evidence) for one in positives]
    return replace(
        encoded,
        target=target,
        anchors=np.full(len(target), ADDED),
        absent=np.asarray([key, *np.ravel(each)], np.int64),
    )


def stretched(encoded: Encoded, length: int | None, seed: int) -> Encoded:
    """Return a query followed by a stretch of each of its documents, and their lengths in ``absent``.

    Of known evidence a stretch has all, as far as it fits.

    Args:
        encoded: What ``with_positives`` returned.
        length: Tokens of a stretch; None for whole documents.
        seed: Of the draw; every document draws its own.
    """
    key, size = int(encoded.absent[0]), len(encoded)
    parts, labels = [encoded.input_ids], [np.full(size, 2 * key)]
    for place, (group, tokens, evidence) in enumerate(_documents(encoded)):
        own = int(np.random.SeedSequence((seed, place)).generate_state(1)[0]) if place else seed
        drawn = drawn_stretch(len(tokens), evidence, length=length, no_answer_share=0.0, seed=own)
        parts.append(tokens if drawn is None else tokens[drawn])
        labels.append(np.full(len(parts[-1]), 2 * group + 1))
    ids, nothing = np.concatenate(parts), np.zeros(0, np.int64)
    marks = np.concatenate([encoded.marks, np.zeros(len(ids) - size, np.int64)]) if len(encoded.marks) else nothing
    return Encoded(
        ids,
        np.arange(len(ids)),
        labels=np.concatenate(labels),
        before=encoded.before,
        after=encoded.after,
        query=encoded.query,
        marks=marks,
        absent=np.asarray([len(part) for part in parts[1:]], np.int64),
    )


def _documents(encoded: Encoded) -> Iterator[tuple[int, IntArray, tuple[int, int] | None]]:
    """Yield number, tokens and known evidence of each document."""
    start = 0
    for group, length, first, last in encoded.absent[1:].reshape(-1, 4).tolist():
        yield group, encoded.target[start : start + length], None if first == NOWHERE else (first, last)
        start += length


def pair_windows(encoded: Encoded, read: Callable[[Encoded], list[Window]]) -> list[Window]:
    """Return the windows of every stretch, each after one with its query alone.

    Windows with less than ``TELLING`` of the tokens of the longest one of their stretch are left out.

    Args:
        encoded: What ``stretched`` returned.
        read: Divides a stretch into windows.
    """
    size, found = len(encoded.query), []
    asked = _asking(encoded, size)
    start = size
    for length in encoded.absent.tolist():
        text = part_of(encoded, slice(start, start + length))
        for window in _telling(read(text)):
            index = np.where(window.token_index == ADDED, ADDED, window.token_index + start)
            found += [asked, Window(window.input_ids, index, begins=False)]
        start += length
    return found


def _telling(windows: Sequence[Window]) -> list[Window]:
    """Return the windows that say enough to be told from others; never none of several."""
    sizes = [int((window.token_index != ADDED).sum()) for window in windows]
    return [window for window, size in zip(windows, sizes, strict=True) if size >= TELLING * max(sizes)]


def _asking(encoded: Encoded, size: int) -> Window:
    """Return the window of a query alone, between the tokens that every window has."""
    added = [np.full(len(one), ADDED) for one in (encoded.before, encoded.after)]
    ids = np.concatenate([encoded.before, encoded.input_ids[:size], encoded.after])
    return Window(ids.astype(np.int64), np.concatenate([added[0], np.arange(size), added[1]]).astype(np.int64))


def part_of(encoded: Encoded, part: slice) -> Encoded:
    """Return some tokens of an encoded text."""
    return replace(encoded, **{name: getattr(encoded, name)[part] for name in PER_TOKEN})
