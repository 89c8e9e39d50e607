"""A small Transformer over windows: each window is pooled to one state, and the output is added to all its tokens.

With three levels, windows are linked within sections of ``group`` windows, and sections by a second Transformer.

Shape legend: B windows of a pass, W tokens of the longest one, S sections, D hidden width, H heads.
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


class Pool(torch.nn.Module):
    """A learned query that weights states by a softmax of its products with them: the mean as long as it is zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = torch.nn.Parameter(torch.zeros(width))

    def forward(self, states: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """Return (R, D): for each of R rows the pooled states (N, D) or (R, N, D) that ``seen`` (R, N) bool shows."""
        scores = torch.matmul(states, self.query) * states.shape[-1] ** -0.5  # (N,) or (R, N)
        weights = scores.expand(seen.shape).masked_fill(~seen, -torch.inf).softmax(-1)
        return torch.matmul(weights[..., None, :], states)[..., 0, :]


class WindowEncoder(torch.nn.Module):
    """Transformer layers over window states, and a projection initialised to zero: untrained, it changes nothing.

    With ``causal`` a window attends to itself and earlier ones, and its output goes to the next window of its group,
    so that a token receives information from strictly earlier windows only.

    With a ``section``, windows attend within their section. The states of its windows are then pooled, layers over
    sections link these, and a window has the sum of its own state and that of its section (with ``causal``, that of
    the section before it).
    """

    def __init__(
        self, width: int, num_layers: int, num_heads: int, pool: str, *, causal: bool, section: int | None = None
    ) -> None:
        """Build the encoder with random layers and a zero projection.

        Args:
            width: Hidden width of the model (D).
            num_layers: Layers over the window states.
            num_heads: Heads of each layer (H).
            pool: How a window is pooled: mean, first or attention.
            causal: Whether a window receives information from earlier windows only.
            section: Windows of a section; None for layers over all windows of a document.
        """
        super().__init__()
        self.width, self.pool, self.causal, self.section = width, pool, causal, section
        self.layers = torch.nn.ModuleList(Layer(width, num_heads) for _ in range(num_layers))
        self.norm, self.out = torch.nn.LayerNorm(width), torch.nn.Linear(width, width)
        torch.nn.init.zeros_(self.out.weight)
        torch.nn.init.zeros_(self.out.bias)
        if pool == "attention":
            self.weigh = Pool(width)
        if section is not None:
            self.sections = torch.nn.ModuleList(Layer(width, num_heads) for _ in range(num_layers))
            if pool == "attention":
                self.weigh_windows = Pool(width)
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
        place = earlier.sum(1)  # the position of a window is the number of windows before it in its document
        if self.section is None:
            states = self._linked(self.layers, states, place, together)
        else:
            states = self._by_sections(states, place, together, self.section)
        outputs: torch.Tensor = self.out(self.norm(states))  # (B, D)
        return from_previous(outputs, earlier) if self.causal else outputs

    def _linked(
        self, layers: torch.nn.ModuleList, states: torch.Tensor, place: torch.Tensor, together: torch.Tensor
    ) -> torch.Tensor:
        """Return states (N, D) of windows or sections after the layers over them.

        Args:
            layers: The layers.
            states: (N, D)
            place: (N,) positions.
            together: (N, N) bool: which of them are linked.
        """
        states = states + sinusoids(place, self.width).to(states.dtype)
        for layer in layers:
            states = layer(states, together.tril() if self.causal else together)
        return states

    def _by_sections(
        self, states: torch.Tensor, place: torch.Tensor, together: torch.Tensor, section: int
    ) -> torch.Tensor:
        """Return (B, D): the states of windows after the layers within sections, plus those of their sections.

        Args:
            states: (B, D) pooled windows.
            place: (B,) position of each window in its document.
            together: (B, B) bool: windows of the same document.
            section: Windows of a section.
        """
        number = torch.div(place, section, rounding_mode="floor")  # (B,) section of each window in its document
        same = together & (number[:, None] == number)  # (B, B): in the same section
        states = self._linked(self.layers, states, place % section, same)
        leads = place % section == 0  # (B,): the first window of each of S sections
        if self.pool == "attention":
            sections = self.weigh_windows(states, same[leads])  # (S, D)
        else:
            sections = torch.matmul(same[leads].to(states.dtype), states) / same[leads].sum(1, keepdim=True)
        linked = together[leads][:, leads]  # (S, S): in the same document
        sections = self._linked(self.sections, sections, number[leads], linked)
        if self.causal:
            sections = from_previous(sections, linked.tril(-1))
        whose = same[:, leads].to(torch.uint8).argmax(1)  # (B,) index of each window's section
        return states + sections[whose]

    def _pooled(self, hidden: torch.Tensor, real: torch.Tensor | None) -> torch.Tensor:
        """Return (B, D): one state per window, in the precision of the layers."""
        hidden = hidden.to(self.out.weight.dtype)
        if self.pool == "first":
            return hidden[:, 0]
        if self.pool == "attention":
            seen = torch.ones_like(hidden[..., 0], dtype=torch.bool) if real is None else real.bool()
            pooled: torch.Tensor = self.weigh(hidden, seen)
            return pooled
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
