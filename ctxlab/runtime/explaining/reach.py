"""Which tokens of a document a score may depend on, by what the parts of the strategy declare.

Shape legend: L tokens of a document, W tokens of a window, N windows that are linked.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ctxlab.core.architecture import is_causal, num_layers, pooled_places
from ctxlab.core.passes import Item
from ctxlab.core.strategy import Strategy
from ctxlab.core.types import ADDED, BoolArray, IntArray
from ctxlab.runtime.collate import collate

ROWS_AT_ONCE = 1024
"""Queries whose pattern is in memory at a time, instead of W × W of a long window."""


def reached(
    model: Any, strategy: Strategy, item: Item, asked: Sequence[IntArray], num_tokens: int, *, pooled: bool, pad_id: int
) -> BoolArray:
    """Return (L,) which document tokens the outputs at some places of linked windows may depend on.

    Where memory tokens, cached keys or the reading link windows, all tokens of a window that has any influence count;
    elsewhere the declared pattern is followed through the layers.

    Args:
        model: The model.
        strategy: Its parts declare what they pass on.
        item: The linked windows.
        asked: Places of each window whose outputs are used; none of most.
        num_tokens: L.
        pooled: Whether the head has one output per window.
        pad_id: Token id of padding.
    """
    causal, layers, count = is_causal(model), num_layers(model), len(item.windows)
    between = strategy.memory.reach(count, layers)
    if strategy.reading.joins:
        between = between | strategy.reading.reach(count)
    found = np.zeros(num_tokens, np.bool_)
    for w, places in enumerate(asked):
        if not len(places):
            continue
        own = item.windows[w]
        used = np.asarray(pooled_places(model, len(own))) if pooled else places
        inside = _inside(strategy, item, w, used, layers=layers, causal=causal, pad_id=pad_id)
        found[own.token_index[inside & (own.token_index != ADDED)]] = True
        for other in np.flatnonzero(between[w]).tolist():
            index = item.windows[other].token_index
            if other != w or (strategy.reading.joins and not causal):
                found[index[index != ADDED]] = True
    return found


def _inside(
    strategy: Strategy, item: Item, w: int, places: IntArray, *, layers: int, causal: bool, pad_id: int
) -> BoolArray:
    """Return (W,) which places of window ``w`` the outputs at ``places`` may depend on.

    Args:
        strategy: Its attention declares the pattern.
        item: The linked windows.
        w: Number of the window.
        places: Places whose outputs are used.
        layers: Layers of the model.
        causal: Whether tokens attend to earlier ones only.
        pad_id: Token id of padding.
    """
    window, attention, memory = item.windows[w], strategy.attention, strategy.memory
    length = len(window)
    found: BoolArray = np.zeros(length, np.bool_)
    found[places] = True
    if attention.looks_ahead:
        return np.ones(length, np.bool_)
    if memory.num_added or memory.num_cached != 0 or attention.trains_only:
        return np.arange(length) <= places.max() if causal else np.ones(length, np.bool_)
    pattern = attention.pattern(collate([window], None, pad_id, [item.marks[w]]), 0)
    key = torch.arange(length)[None]
    for _ in range(layers):
        more, queries = found.copy(), np.flatnonzero(found)
        for start in range(0, len(queries), ROWS_AT_ONCE):
            query = torch.from_numpy(queries[start : start + ROWS_AT_ONCE])[:, None]
            pairs = pattern(query, key, length).expand(len(query), length)
            more |= (pairs & (key <= query) if causal else pairs).any(0).numpy()
        if (more == found).all():
            break
        found = more
    return found
