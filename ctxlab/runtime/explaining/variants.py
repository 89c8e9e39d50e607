"""Scores of variants of a document, in which some of its tokens are hidden.

Shape legend: S variants, W tokens of a window.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from ctxlab.core.explanation import Target
from ctxlab.core.passes import Item
from ctxlab.core.types import ADDED, BoolArray, DoubleArray, IntArray, Window
from ctxlab.runtime.explaining.merging import merged
from ctxlab.runtime.explaining.reads import Plan, Reads


def scores(reads: Reads, target: Target, hidden: Sequence[IntArray], mask_id: int) -> DoubleArray:
    """Return (S,) the scores of variants; equal contents of linked windows are read once.

    Args:
        reads: The document.
        target: What is explained.
        hidden: Tokens of the document that each variant lacks.
        mask_id: Token that replaces them.
    """
    plan = reads.plan(target)
    keys: dict[int, list[bytes]] = {}
    found: dict[int, dict[bytes, list[torch.Tensor]]] = {}
    for i in plan.items:
        index = np.concatenate([window.token_index for window in reads.items[i].windows])
        rows = [np.isin(index, own) for own in hidden]
        keys[i] = [row.tobytes() for row in rows]
        found[i] = _variants(reads, plan, i, hidden=dict(zip(keys[i], rows, strict=True)), mask_id=mask_id)
    values = np.zeros(len(hidden))
    for s in range(len(hidden)):
        own = {number: one for i in plan.items for number, one in reads.named(plan, i, found[i][keys[i][s]])}
        values[s] = float(target.score(merged(plan.shares, own, plan.num_rows)))
    return values


@torch.inference_mode()
def _variants(
    reads: Reads, plan: Plan, i: int, hidden: Mapping[bytes, BoolArray], mask_id: int
) -> dict[bytes, list[torch.Tensor]]:
    """Return the outputs of each variant of an item, by what is hidden in it.

    All passes have the same shape, and the item as it is goes through one of them, so that outputs that do not depend
    on what is hidden are found equal to the bit, and are replaced by those of one and the same place.

    Args:
        reads: The document.
        plan: Which outputs are used.
        i: Number of the item.
        hidden: Key of a variant → which tokens of the item it lacks.
        mask_id: Token that replaces them.
    """
    item, names = reads.items[i], list(hidden)
    width = min(max(len(names), 1), reads.at_once(i))
    plain = reads.read(plan, i, [item] * width)
    found: dict[bytes, list[torch.Tensor]] = {}
    for start in range(0, len(names), width):
        group = names[start : start + width]
        variants = [_without(item, hidden[name], mask_id) for name in group]
        rows = reads.read(plan, i, [*variants, *[item] * (width - len(group))])
        for place, name in enumerate(group):
            same = [torch.equal(a, b) for a, b in zip(rows[place], plain[place], strict=True)]
            pairs = zip(rows[place], plain[0], same, strict=True)
            found[name] = [base if equal else own for own, base, equal in pairs]
    return found


def _without(item: Item, hidden: BoolArray, mask_id: int) -> Item:
    """Return an item in which some of its tokens, in the order of its windows, are replaced by the mask token."""
    cuts = np.cumsum([len(window) for window in item.windows])[:-1]
    windows = [
        Window(
            np.where(gone & (window.token_index != ADDED), mask_id, window.input_ids),
            window.token_index,
            window.begins,
        )
        for window, gone in zip(item.windows, np.split(hidden, cuts), strict=True)
    ]
    return replace(item, windows=windows)
