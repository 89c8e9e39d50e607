"""A small Transformer over windows: each window is pooled to one state, and the output is added to all its tokens.

Shape legend: B windows of a pass, W tokens of the longest one, D hidden width, H heads.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F

from ctxlab.core.errors import UserError


class Layer(torch.nn.Module):
    """Attention among windows and a feed-forward layer four times as wide, with pre-layer norm (Xiong et al. 2020)."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm, self.mlp_norm = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
        self.qkv, self.mix = torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width)
        self.mlp = torch.nn.Sequential(
            torch.nn.Linear(width, 4 * width), torch.nn.GELU(), torch.nn.Linear(4 * width, width)
        )

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Transform states (B, D); ``mask`` (B, B) bool says which window (row) may attend to which (column)."""
        heads = self.qkv(self.norm(states)).view(len(states), 3, self.num_heads, -1).permute(1, 2, 0, 3)
        query, key, value = heads[:, None]  # (1, H, B, D / H) each: windows are the sequence
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask[None, None])[0]  # (H, B, D / H)
        states = states + self.mix(mixed.transpose(0, 1).flatten(1))
        return torch.add(states, self.mlp(self.mlp_norm(states)))


class WindowEncoder(torch.nn.Module):
    """Transformer layers over window states, and a projection initialised to zero: untrained, it changes nothing.

    With ``causal`` a window attends to itself and earlier ones, and its output goes to the next window of its group,
    so that a token receives information from strictly earlier windows only.
    """

    def __init__(self, width: int, num_layers: int, num_heads: int, pool: str, *, causal: bool) -> None:
        """Build the encoder with random layers and a zero projection.

        Args:
            width: Hidden width of the model (D).
            num_layers: Layers over the window states.
            num_heads: Heads of each layer (H).
            pool: How a window is pooled: mean or first.
            causal: Whether a window receives information from earlier windows only.
        """
        super().__init__()
        self.width, self.pool, self.causal = width, pool, causal
        self.layers = torch.nn.ModuleList(Layer(width, num_heads) for _ in range(num_layers))
        self.norm, self.out = torch.nn.LayerNorm(width), torch.nn.Linear(width, width)
        torch.nn.init.zeros_(self.out.weight)
        torch.nn.init.zeros_(self.out.bias)
        self._groups: torch.Tensor | None = None
        self._real: torch.Tensor | None = None

    def take_inputs(
        self, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Store which windows are linked and which tokens are not padding; a forward pre-hook of the whole model."""
        self._groups, self._real = kwargs.get("groups"), kwargs.get("attention_mask")
        return args, {name: value for name, value in kwargs.items() if name != "groups"}

    def add_output(self, _: Any, args: tuple[Any, ...], output: Any) -> Any:
        """Add the encoder's output to the last hidden states (B, W, D); a forward hook of the module with these.

        Raises:
            UserError: The hidden states have another width than the model's config says.
        """
        del args
        hidden = output if isinstance(output, torch.Tensor) else output[0]
        if hidden.shape[-1] != self.width:
            raise UserError(
                f"strategy/reading=hierarchical does not work with this model, whose hidden states have width "
                f"{hidden.shape[-1]} while its config says {self.width}: use strategy/reading=chunk."
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
        """Return (B, D): what is added to every token of each window.

        Args:
            hidden: (B, W, D) last hidden states.
            groups: (B,) windows with the same number are linked, in order of their rows; None: none are linked.
            real: (B, W) 1 for a token, 0 for padding; None: there is no padding.
        """
        groups = torch.arange(len(hidden), device=hidden.device) if groups is None else groups
        together = groups[:, None] == groups  # (B, B): in the same document
        earlier = together.tril(-1)  # (B, B): in the same document, and before
        states = self._pooled(hidden, real)  # (B, D)
        # The position of a window is the number of windows before it in its document.
        states = states + sinusoids(earlier.sum(1), self.width).to(states.dtype)
        mask = together.tril() if self.causal else together
        for layer in self.layers:
            states = layer(states, mask)
        outputs: torch.Tensor = self.out(self.norm(states))  # (B, D)
        return from_previous(outputs, earlier) if self.causal else outputs

    def _pooled(self, hidden: torch.Tensor, real: torch.Tensor | None) -> torch.Tensor:
        """Return (B, D): one state per window, in the precision of the layers."""
        hidden = hidden.to(self.out.weight.dtype)
        if self.pool == "first":
            return hidden[:, 0]
        if real is None:
            return hidden.mean(1)
        weight = real.to(hidden.dtype)[..., None]
        return (hidden * weight).sum(1) / weight.sum(1)


def sinusoids(places: torch.Tensor, width: int) -> torch.Tensor:
    """Return (B, D) sinusoidal encodings of positions (B,) (Vaswani et al. 2017, arXiv:1706.03762)."""
    rate = torch.exp(torch.arange(0, width, 2, device=places.device) * (-math.log(10_000.0) / width))  # (D / 2,)
    angle = places[:, None] * rate  # (B, D / 2)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :width]


def from_previous(outputs: torch.Tensor, earlier: torch.Tensor) -> torch.Tensor:
    """Return (B, D): the output of the previous window of the same group, zero for the first one."""
    rows = torch.arange(len(outputs), device=outputs.device)
    before = torch.where(earlier, rows, -1).amax(1)  # (B,) row of the previous window, −1 for none
    return torch.where((before >= 0)[:, None], outputs[before.clamp(min=0)], 0.0)
