"""A small Transformer over windows: each is one state, and what comes out is added to all of its tokens.

Shape legend: B windows of a pass, W tokens of the longest one, D hidden width, H heads.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F

from ctxlab.core.errors import UserError


class Layer(torch.nn.Module):
    """Attention among windows and a feed-forward layer four times as wide, norms first (Xiong et al. 2020)."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm, self.mlp_norm = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
        self.qkv, self.mix = torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width)
        self.mlp = torch.nn.Sequential(
            torch.nn.Linear(width, 4 * width), torch.nn.GELU(), torch.nn.Linear(4 * width, width)
        )

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """States (B, D), and which window may look at which (B, B)."""
        parts = self.qkv(self.norm(states)).view(len(states), 3, self.num_heads, -1).permute(1, 2, 0, 3)
        query, key, value = parts[:, None]
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask[None, None])[0]
        states = states + self.mix(mixed.transpose(0, 1).flatten(1))
        return torch.add(states, self.mlp(self.mlp_norm(states)))


class WindowEncoder(torch.nn.Module):
    """Window states through ``num_layers`` layers, and a projection that begins at zero: a new one changes nothing.

    With ``causal`` a window looks at itself and earlier ones, and gives what came out to the next window of its group,
    so that a token hears of strictly earlier windows only.
    """

    def __init__(self, width: int, num_layers: int, num_heads: int, pool: str, *, causal: bool) -> None:
        super().__init__()
        self.width, self.pool, self.causal = width, pool, causal
        self.layers = torch.nn.ModuleList(Layer(width, num_heads) for _ in range(num_layers))
        self.norm, self.out = torch.nn.LayerNorm(width), torch.nn.Linear(width, width)
        torch.nn.init.zeros_(self.out.weight)
        torch.nn.init.zeros_(self.out.bias)
        self._groups: torch.Tensor | None = None
        self._real: torch.Tensor | None = None

    def look(self, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Pre-hook of the whole model: which windows are linked, and which tokens are no padding."""
        self._groups, self._real = kwargs.get("groups"), kwargs.get("attention_mask")
        return args, {name: value for name, value in kwargs.items() if name != "groups"}

    def link(self, _: Any, args: tuple[Any, ...], output: Any) -> Any:
        """Hook of what computes the last hidden states (B, W, D): the same output, these changed."""
        del args
        hidden = output if isinstance(output, torch.Tensor) else output[0]
        if hidden.shape[-1] != self.width:
            raise UserError(
                f"strategy/reading=hierarchical finds hidden states {hidden.shape[-1]} wide where the model's config "
                f"says {self.width}: use strategy/reading=chunk."
            )
        changed = hidden + self(hidden, self._groups, self._real)[:, None].to(hidden.dtype)
        self._groups = self._real = None
        if isinstance(output, torch.Tensor):
            return changed
        if isinstance(output, tuple):
            return (changed, *output[1:])
        output["last_hidden_state"] = changed
        return output

    def forward(
        self, hidden: torch.Tensor, groups: torch.Tensor | None = None, real: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(B, D) what every token of a window is given.

        Args:
            hidden: (B, W, D)
            groups: (B,) windows of one number are linked, in order of their rows; None: each is alone.
            real: (B, W) 1 for a token, 0 for padding; None: there is none.
        """
        groups = torch.arange(len(hidden), device=hidden.device) if groups is None else groups
        together = groups[:, None] == groups
        earlier = together.tril(-1)
        states = self._pooled(hidden, real)
        states = states + sinusoids(earlier.sum(1), self.width).to(states.dtype)
        mask = together.tril() if self.causal else together
        for layer in self.layers:
            states = layer(states, mask)
        given: torch.Tensor = self.out(self.norm(states))
        return from_the_one_before(given, earlier) if self.causal else given

    def _pooled(self, hidden: torch.Tensor, real: torch.Tensor | None) -> torch.Tensor:
        """(B, D) one state a window, in the precision of the layers."""
        hidden = hidden.to(self.out.weight.dtype)
        if self.pool == "first":
            return hidden[:, 0]
        if real is None:
            return hidden.mean(1)
        weight = real.to(hidden.dtype)[..., None]
        return (hidden * weight).sum(1) / weight.sum(1)


def sinusoids(places: torch.Tensor, width: int) -> torch.Tensor:
    """(B, D) sines and cosines of places (B,) (Vaswani et al. 2017, arXiv:1706.03762): no table to outgrow."""
    rate = torch.exp(torch.arange(0, width, 2, device=places.device) * (-math.log(10_000.0) / width))
    angle = places[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :width]


def from_the_one_before(given: torch.Tensor, earlier: torch.Tensor) -> torch.Tensor:
    """(B, D) what the last earlier window of the same group has to give, zero for the first one."""
    rows = torch.arange(len(given), device=given.device)
    before = torch.where(earlier, rows, -1).amax(1)
    return torch.where((before >= 0)[:, None], given[before.clamp(min=0)], 0.0)
