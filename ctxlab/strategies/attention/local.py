"""Each token attends to its neighbours, and a few global tokens to and from all."""

from collections.abc import Mapping
from typing import Any

import torch

from ctxlab.core.errors import UserError
from ctxlab.core.strategy import ModelKind
from ctxlab.strategies.attention import masks
from ctxlab.strategies.attention.base import Base
from ctxlab.strategies.attention.blocks import BlockMask, Layout, blocked_sdpa, sdpa
from ctxlab.strategies.attention.interface import install
from ctxlab.strategies.attention.masks import DenseMask

SMALLEST_BLOCK, LARGEST_BLOCK = 32, 256
"""Measured on a CPU: smaller blocks copy too many keys, larger ones compute too many pairs."""


class Local(Base):
    """Sliding window and global tokens.

    Source: Longformer (Beltagy et al. 2020, arXiv:2004.05150). Deviations: global tokens use the projections that the
    model was trained with (no second set); the global tokens are the first of every window; ``window`` counts the
    tokens on each side, so Longformer's ``attention_window`` is twice ours.
    """

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder"})

    def __init__(self, window: int = 128, num_global: int = 1) -> None:
        """Take ``window`` tokens on each side, and the first ``num_global`` tokens of a window as global ones."""
        if window < 1:
            raise UserError(f"strategy.attention.window={window} must be at least 1 token on each side.")
        if num_global < 0:
            raise UserError(f"strategy.attention.num_global={num_global} must be 0 or more tokens.")
        self.window, self.num_global = window, num_global
        block = min(max(window, SMALLEST_BLOCK), LARGEST_BLOCK)
        self.layout = Layout(block=block, left=window, right=window, num_global=num_global)

    @property
    def name(self) -> str:
        """Under which the pattern is registered with the library."""
        return f"ctxlab_local_{self.window}_{self.num_global}"

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Neighbours, and everything from and to a global token."""
        del length
        return ((query - key).abs() <= self.window) | (query < self.num_global) | (key < self.num_global)

    def pairs(self, length: int) -> int:
        """Pairs that the kernel computes for one head of a model that is not causal."""
        if length <= self.layout.keys:
            return length * length
        blocks = self.layout.num_blocks(length) * self.layout.block * self.layout.keys
        return blocks + self.num_global * length

    def install(self, model: Any) -> None:
        """Put the pattern into every self-attention of ``model``."""
        declared = {"name": "local", "window": self.window, "num_global": self.num_global}
        install(model, self.name, self._attend, self._mask, declared)

    def _mask(self, *args: Any, **kwargs: Any) -> BlockMask | DenseMask:
        """For the library's mask interface: called once a forward pass, not once a layer."""
        return masks.build(masks.library_mask(*args, **kwargs), self.allowed, self.layout)

    def _attend(
        self,
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: BlockMask | DenseMask | torch.Tensor | None,
        dropout: float = 0.0,
        scaling: float | None = None,
        is_causal: bool | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, None]:
        """For the library's attention interface: (B, H, L, D) to (B, L, H, D)."""
        _refuse_unknown(kwargs)
        if isinstance(attention_mask, torch.Tensor) or attention_mask is None:
            causal = bool(getattr(module, "is_causal", True) if is_causal is None else is_causal)
            library = masks.from_tensor(query, key, attention_mask, causal)
            attention_mask = masks.build(library, self.allowed, self.layout)
        if isinstance(attention_mask, DenseMask):
            dense = sdpa(query, key, value, attention_mask.pairs, dropout=dropout, scaling=scaling)
            return dense.transpose(1, 2).contiguous(), None
        return blocked_sdpa(query, key, value, attention_mask, dropout=dropout, scaling=scaling), None


def _refuse_unknown(kwargs: Mapping[str, Any]) -> None:
    """What would change the scores and is not computed here must not be dropped in silence."""
    for name in ("position_bias", "softcap", "s_aux"):
        if kwargs.get(name) is not None:
            raise NotImplementedError(f"the model passes `{name}`, which blocked attention does not compute")
