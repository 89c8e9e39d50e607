"""Encoder states of several windows as one sequence, which the decoder of an encoder-decoder reads.

Shape legend: B windows of a pass, W tokens of the longest one, G groups of windows that are read together, M tokens of
the largest group, D hidden width.
"""

from typing import NamedTuple

import torch

GROUPS, KEPT = "groups", "kept"
"""Names of the inputs (B,) group of each window, and (B, W) which of its tokens the decoder reads."""


class Joined(NamedTuple):
    """What the decoder's cross attention reads of each group."""

    states: torch.Tensor
    """(G, M, D) kept states of the windows in order, right-padded with zeros."""
    mask: torch.Tensor
    """(G, M) 1 for states, 0 for padding."""


def join(states: torch.Tensor, groups: torch.Tensor, kept: torch.Tensor) -> Joined:
    """Put the kept states of each group one after the other.

    Args:
        states: (B, W, D) encoder states of windows.
        groups: (B,) number of each window's group, from 0 and ascending.
        kept: (B, W) 1 for tokens that are read; 0 for the others, padding among them.
    """
    rows, places = kept.nonzero(as_tuple=True)  # windows in order, and tokens in order within each
    of = groups[rows]
    sizes = torch.bincount(of, minlength=int(groups[-1]) + 1)  # (G,)
    starts = sizes.cumsum(0) - sizes
    index = of, torch.arange(len(of), device=of.device) - starts[of]
    width = int(sizes.max())
    mask = kept.new_zeros(len(sizes), width).index_put(index, kept.new_ones(()))
    return Joined(states.new_zeros(len(sizes), width, states.shape[-1]).index_put(index, states[rows, places]), mask)
