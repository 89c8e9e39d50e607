"""The gradient of soft spans, from the pairs on the ramp: R keys on each side of a query.

Shape legend: B windows, H heads, L tokens, D head width, R tokens of the ramp, N blocks of Q queries, S = Q + R − 1
keys that are on the ramp for some query of a block.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ctxlab.strategies.attention.kernels.masks import LibraryMask

RAMP_BLOCK = 32
"""Queries of a block (Q). Measured on a CPU with a ramp of 32: fewer copy more keys, more compute more pairs."""


@dataclass(frozen=True, slots=True, eq=False)
class Ramps:
    """One kernel call and the quantities of its backward pass.

    One more token of span raises the soft mask m of a pair on the ramp by 1 / R. With the pair's weight p this changes
    the loss by p / m · (upstream · value − mean) / R, where p / m = exp(score − total) does not depend on m.
    """

    query: torch.Tensor
    """(B, H, L, D), scaled."""
    key: torch.Tensor
    """(B, H, keys, D)."""
    value: torch.Tensor
    """(B, H, keys, D)."""
    upstream: torch.Tensor
    """(B, H, L, D), gradient of the outputs."""
    total: torch.Tensor
    """(B, H, L), logarithm of the sum of unnormalised weights."""
    mean: torch.Tensor
    """(B, H, L), product of each output and its gradient."""
    spans: torch.Tensor
    """(H,) tokens."""
    ramp: int
    library: LibraryMask
    hides: bool
    """Whether the model itself masks any pair."""

    def gradient(self) -> torch.Tensor:
        """Return the gradient of the spans (H,)."""
        num_queries, device = self.query.shape[2], self.spans.device
        start = torch.arange(0, num_queries, RAMP_BLOCK, device=device)[:, None]
        start = start + self.library.query_offset - self.library.key_offset  # (N, 1)
        query = start + torch.arange(RAMP_BLOCK, device=device)  # (N, Q)
        near = start + torch.arange(RAMP_BLOCK + self.ramp - 1, device=device)  # (N, S)
        whole = self.spans.floor().long()[:, None, None]  # (H, 1, 1)
        gradient = torch.zeros_like(self.spans)
        for sign, key in ((1, near + 1 + whole), (-1, near - self.ramp - whole)):  # (H, N, S), after and before
            if bool(((key >= 0) & (key < self.key.shape[2])).any()):
                gradient += self._side(query[None, :, :, None], key, sign)
        return gradient / self.ramp

    def _side(self, query: torch.Tensor, key: torch.Tensor, sign: int) -> torch.Tensor:
        """Return sums (H,) over keys (H, N, S) after (sign 1) or before (−1) the queries (1, N, Q, 1)."""
        inside = key.clamp(0, self.key.shape[2] - 1)
        fades = self._fades(query, key[:, :, None], inside[:, :, None], sign)
        heads = torch.arange(len(key), device=key.device)[:, None, None]
        keys, values = (part[:, heads, inside] for part in (self.key, self.value))  # (B, H, N, S, D)
        scores = _cut(self.query) @ keys.mT - _cut(self.total[..., None])
        change = (_cut(self.upstream) @ values.mT).sub_(_cut(self.mean[..., None]))
        return scores.masked_fill_(~fades, -math.inf).exp_().mul_(change).sum((0, 2, 3, 4))

    def _fades(self, query: torch.Tensor, key: torch.Tensor, inside: torch.Tensor, sign: int) -> torch.Tensor:
        """Return (B or 1, H, N, Q, S) bool: pairs on the ramp, whose soft mask is neither 0 nor 1.

        Args:
            query: (1, N, Q, 1) query indices.
            key: (H, N, 1, S) key indices, possibly outside the window.
            inside: ``key`` clamped to the window.
            sign: 1 for keys after the queries, −1 for keys before them.
        """
        # Distances are the same in all blocks: those of the first block suffice.
        left = self.ramp + self.spans[:, None, None, None] - sign * (key[:, :1] - query[:, :1])
        fades = ((left > 0) & (left < self.ramp) & (key == inside))[None]
        if not self.hides:
            return fades
        offset = self.library.key_offset
        last = self.library.query_offset + self.library.num_queries - 1
        return fades & self.library.at((query + offset).clamp(max=last), inside + offset)


def _cut(tokens: torch.Tensor) -> torch.Tensor:
    """Cut (B, H, L, …) into blocks (B, H, N, Q, …); a short last block is padded with zeros, which have no effect."""
    missing = -tokens.shape[2] % RAMP_BLOCK
    blocks: torch.Tensor = F.pad(tokens, (0, 0, 0, missing)).unflatten(2, (-1, RAMP_BLOCK))
    return blocks
