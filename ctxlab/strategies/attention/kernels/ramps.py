"""The gradient of soft spans, from the pairs at which a head fades: a ramp's length of keys on each side of a query.

Shape legend: B windows, H heads, L tokens, D head width, R tokens of the ramp, N blocks of Q queries, S = Q + R − 1
keys that fade for some query of a block.
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
    """One call of the kernel and what its backward pass knows.

    A token more of span raises the fade m of a pair by 1 / R. With its weight p that changes the loss by
    p / m · (upstream · value − mean) / R, and p / m = exp(score − total) needs no fade at all.
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
    """(B, H, L), logarithm of the sum of weights before they are brought to one."""
    mean: torch.Tensor
    """(B, H, L), product of each output and its gradient."""
    spans: torch.Tensor
    """(H,) tokens."""
    ramp: int
    library: LibraryMask
    hides: bool
    """Whether the model itself hides anything."""

    def gradient(self) -> torch.Tensor:
        """Of the spans (H,)."""
        num_queries, device = self.query.shape[2], self.spans.device
        start = torch.arange(0, num_queries, RAMP_BLOCK, device=device)[:, None]
        start = start + self.library.query_offset - self.library.key_offset
        query = start + torch.arange(RAMP_BLOCK, device=device)
        near = start + torch.arange(RAMP_BLOCK + self.ramp - 1, device=device)
        whole = self.spans.floor().long()[:, None, None]
        gradient = torch.zeros_like(self.spans)
        for sign, key in ((1, near + 1 + whole), (-1, near - self.ramp - whole)):
            if bool(((key >= 0) & (key < self.key.shape[2])).any()):
                gradient += self._side(query[None, :, :, None], key, sign)
        return gradient / self.ramp

    def _side(self, query: torch.Tensor, key: torch.Tensor, sign: int) -> torch.Tensor:
        """Sums (H,) over keys (H, N, S) behind (sign 1) or before (−1) the queries (1, N, Q, 1)."""
        inside = key.clamp(0, self.key.shape[2] - 1)
        fades = self._fades(query, key[:, :, None], inside[:, :, None], sign)
        heads = torch.arange(len(key), device=key.device)[:, None, None]
        keys, values = (part[:, heads, inside] for part in (self.key, self.value))
        scores = _cut(self.query) @ keys.mT - _cut(self.total[..., None])
        change = (_cut(self.upstream) @ values.mT).sub_(_cut(self.mean[..., None]))
        return scores.masked_fill_(~fades, -math.inf).exp_().mul_(change).sum((0, 2, 3, 4))

    def _fades(self, query: torch.Tensor, key: torch.Tensor, inside: torch.Tensor, sign: int) -> torch.Tensor:
        """(B or 1, H, N, Q, S) bool: pairs whose fade is neither 0 nor 1."""
        # All blocks have the same distances.
        left = self.ramp + self.spans[:, None, None, None] - sign * (key[:, :1] - query[:, :1])
        fades = ((left > 0) & (left < self.ramp) & (key == inside))[None]
        if not self.hides:
            return fades
        offset = self.library.key_offset
        last = self.library.query_offset + self.library.num_queries - 1
        return fades & self.library.at((query + offset).clamp(max=last), inside + offset)


def _cut(tokens: torch.Tensor) -> torch.Tensor:
    """(B, H, L, …) to (B, H, N, Q, …); where the last block is short, zeros, which change nothing."""
    missing = -tokens.shape[2] % RAMP_BLOCK
    blocks: torch.Tensor = F.pad(tokens, (0, 0, 0, missing)).unflatten(2, (-1, RAMP_BLOCK))
    return blocks
