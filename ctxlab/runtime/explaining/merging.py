"""From outputs of windows to merged outputs of a document's tokens, as a linear map that gradients pass through.

Shape legend: L tokens of a document, W tokens of a window, N windows, T tokens of interest, C outputs per token.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ctxlab.core.strategy import Reading
from ctxlab.core.types import DoubleArray, IntArray, Window

WINDOWS_AT_ONCE = 64
"""Windows whose weights are found at once, so that (L, N) of a long document is never in memory."""


@dataclass(frozen=True, eq=False)
class Share:
    """The places of one window whose outputs are merged into outputs of tokens of interest."""

    rows: IntArray
    """Index among the T tokens of interest."""
    places: IntArray
    """Place in the window."""
    weights: DoubleArray
    """How much it counts."""


def shares_of(reading: Reading, windows: Sequence[Window], num_tokens: int, tokens: IntArray) -> dict[int, Share]:
    """Return the share of each window in the merged outputs of ``tokens`` (T,), of windows that have one.

    ``Reading.merge`` selects outputs or averages them, so that it is known from what it does to windows whose outputs
    are one in a column of their own and zero in others.

    Args:
        reading: Merges outputs.
        windows: All windows of the document.
        num_tokens: L.
        tokens: Tokens of interest.
    """
    found: dict[int, Share] = {}
    for start in range(0, len(windows), WINDOWS_AT_ONCE):
        block = range(start, min(start + WINDOWS_AT_ONCE, len(windows)))
        marked = []
        for number, window in enumerate(windows):
            own = np.zeros((len(window), len(block)), np.float32)
            if number in block:
                own[:, number - start] = 1
            marked.append(own)
        weights = reading.merge(windows, marked, num_tokens).outputs[tokens]
        for number in block:
            rows = np.flatnonzero(weights[:, number - start])
            if len(rows):
                places = _places(windows[number], tokens[rows])
                found[number] = Share(rows, places, weights[rows, number - start].astype(np.float64))
    return found


def _places(window: Window, tokens: IntArray) -> IntArray:
    """Return the place of each document token in a window; of a token that is there twice the first one."""
    order = np.argsort(window.token_index, kind="stable")
    return order[np.searchsorted(window.token_index[order], tokens)]


def merged(shares: Mapping[int, Share], outputs: Mapping[int, torch.Tensor], num_rows: int) -> torch.Tensor:
    """Return (T, C) merged outputs.

    Args:
        shares: Share of each window.
        outputs: Of each of these windows the outputs (P, C) of the places of its share.
        num_rows: T.
    """
    first = next(iter(outputs.values()))
    total = first.new_zeros((num_rows, first.shape[-1]))
    for number, share in shares.items():
        weights = torch.as_tensor(share.weights, dtype=first.dtype, device=first.device)[:, None]
        total = total.index_add(0, torch.as_tensor(share.rows, device=first.device), weights * outputs[number])
    return total
