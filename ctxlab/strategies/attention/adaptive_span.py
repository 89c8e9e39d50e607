"""Each head learns its attention span."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers import AttentionInterface

from ctxlab.core import added_modules
from ctxlab.core.architecture import position_limit
from ctxlab.core.errors import UserError
from ctxlab.core.strategy import ModelKind
from ctxlab.core.types import HEADS, Table
from ctxlab.strategies.attention.kernels import masks
from ctxlab.strategies.attention.kernels.base import BaseAttention
from ctxlab.strategies.attention.kernels.exported import (
    HIDDEN,
    Exportable,
    ExportedPlans,
    attend,
    prepare,
    spans,
)
from ctxlab.strategies.attention.kernels.interface import called_causally, install, refuse_unknown
from ctxlab.strategies.attention.kernels.plan import sliding
from ctxlab.strategies.attention.kernels.soft_span import Tiles, num_pairs, reach, soft_span_attention
from ctxlab.strategies.attention.kernels.sparse import at_least

SPAN = "ctxlab_span"
"""Attribute of an attention module with a reference to its spans."""

TINY = 1e-30
"""Smallest weight of which a logarithm is taken."""


class AdaptiveSpan(BaseAttention):
    """Learns a soft span for each head of each layer, with a penalty on long spans.

    The attention weight of a token at distance x is multiplied by m(x) = clamp((ramp + z − x) / ramp, 0, 1) before the
    weights of a query are normalised; z is the head's span. A layer computes pairs up to the span of its widest head.

    Source: Sukhbaatar et al. 2019 (arXiv:1905.07799): ramp, penalty (times the mean span in tokens of a layer, summed
    over layers) and spans learned as a fraction of the longest one, within 0 and 1. Deviations: in a bidirectional
    model the distance counts on both sides; the model keeps its own positions instead of the paper's relative ones; no
    span depends on the token; at a bound, only the gradient that points beyond it is dropped, while the authors' code
    clips the fraction after every step. Spans have no weight decay and the common learning rate.
    """

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder"})
    reweights = True
    unexportable = None
    _frozen: tuple[int, Sequence[Sequence[float]]] | None = None
    """While the model is exported: tokens of its longest window, and the spans of the heads of each layer."""

    def __init__(
        self, max_span: int | None = None, ramp: int = 32, initial: float = 0.25, penalty: float = 2e-6
    ) -> None:
        """Build the part.

        Args:
            max_span: Longest span in tokens on each side; None for as many as the model has positions.
            ramp: Tokens over which the weights of a head decay to zero after its span.
            initial: Initial span of every head, as a fraction of the longest one.
            penalty: Added to the loss of a label per token of a layer's mean span.

        Raises:
            UserError: A value is out of range.
        """
        if max_span is not None:
            at_least(1, "tokens on each side that a head may learn to attend to", max_span=max_span)
        at_least(1, "tokens over which the weights of a head decay to zero after its span", ramp=ramp)
        if not 0 < initial <= 1:
            raise UserError(
                f"strategy.attention.initial={initial} must be above 0 and at most 1: the fraction of max_span that "
                "each head starts with."
            )
        if penalty < 0:
            raise UserError(f"strategy.attention.penalty={penalty} must be 0 or more; 0 does not limit spans.")
        self.max_span, self.ramp, self.initial, self.penalty_per_token = max_span, ramp, initial, penalty
        self.spans: Spans | None = None

    @property
    def name(self) -> str:
        """Return the name under which the kernel is registered with the library; the spans are in the model."""
        return f"ctxlab_adaptive_span_{self.ramp}"

    @property
    def exact(self) -> bool:
        """Whether the widest head of every layer has the same span, so that all allowed pairs attend in each layer."""
        return self.spans is None or len({float(spans.detach().max()) for spans in self.spans.by_layer()}) == 1

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Declare the pairs with any weight in the model's widest head; before ``install``, with the longest span."""
        distance = (query - key).abs()
        if self.spans is not None:
            return distance < float(self.spans.tokens().detach().max()) + self.ramp
        return distance < (length if self.max_span is None else self.max_span + self.ramp)

    def pairs(self, length: int) -> int:
        """Return the pairs at the current spans, on average over the layers."""
        if self.spans is None:
            return num_pairs(length, length if self.max_span is None else self.max_span + self.ramp - 1)
        widths = [reach(spans, self.ramp, length) for spans in self.spans.by_layer()]
        return sum(num_pairs(length, width) for width in widths) // len(widths)

    def install(self, model: Any) -> None:
        """Make every self-attention of ``model`` use the kernel, and attach spans for each of them to the model."""
        longest = self._longest(model)
        layers: dict[torch.nn.Module, int] = {}

        def record_heads(
            module: torch.nn.Module, query: torch.Tensor, key: Any, value: torch.Tensor, *_: Any, **kwargs: Any
        ) -> tuple[torch.Tensor, None]:
            """Record which modules call, and with how many heads; replaces the kernel while calls are counted."""
            refuse_unknown(kwargs)
            layers.setdefault(module, query.shape[1])
            return value.new_zeros(*query.transpose(1, 2).shape[:3], value.shape[-1]), None

        declared = {"max_span": longest, "ramp": self.ramp, "initial": self.initial, "penalty": self.penalty_per_token}
        install(
            model, self.name, attention=record_heads, mask=self._mask, declared={"name": "adaptive_span", **declared}
        )
        AttentionInterface.register(self.name, self._attend)
        self.spans = Spans(list(layers.values()), longest, self.initial)
        added_modules.attach(model, "attention", self.spans)
        for index, module in enumerate(layers):
            setattr(module, SPAN, LayerSpans(self.spans, index))

    @contextmanager
    def exporting(self, longest: int) -> Iterator[None]:
        """Within the block, compute blocks as wide as the widest head of a layer, with the spans frozen."""
        assert self.spans is not None
        self._frozen = longest, [spans.tolist() for spans in self.spans.by_layer()]
        try:
            yield
        finally:
            self._frozen = None

    def _exported(self, library: masks.LibraryMask, layer: int) -> ExportedPlans:
        """Return the plan of a layer whose spans are frozen."""
        assert self._frozen is not None
        longest, own = self._frozen[0], torch.tensor(self._frozen[1][layer])  # (H,)
        wide = max(min(math.ceil(max(self._frozen[1][layer]) + self.ramp), longest), 1)
        layout = sliding(wide)
        near = Exportable(spans(library.num_keys, layout), lambda q, k: (q - k).abs() < own.max() + self.ramp)
        (plan,) = prepare(library, [near]).plans
        distance = (torch.arange(-wide, layout.block + wide) - torch.arange(layout.block)[:, None]).abs()  # (Q, S)
        weight = ((self.ramp + own[:, None, None] - distance) / self.ramp).clamp(0, 1)  # (H, Q, S)
        # Softmax weights times a factor are the softmax of scores plus its logarithm.
        added = torch.where(weight > 0, weight.clamp(min=TINY).log(), HIDDEN)
        return ExportedPlans((replace(plan, hidden=plan.hidden + added),))

    def penalty(self, model: Any) -> torch.Tensor | None:
        """Return the sum over layers of the mean span in tokens, times the configured penalty."""
        return self.penalty_per_token * torch.stack([spans.mean() for spans in _installed(model).by_layer()]).sum()

    def figures(self, model: Any) -> dict[str, float]:
        """Return the mean span of each layer and the widest span of all, in tokens."""
        layers = [spans.detach() for spans in _installed(model).by_layer()]
        means = {f"mean_span_tokens_layer_{index}": float(spans.mean()) for index, spans in enumerate(layers)}
        return {**means, "widest_span_tokens": max(float(spans.max()) for spans in layers)}

    def tables(self, model: Any) -> list[Table]:
        """Return a table of the span of each head."""
        if added_modules.attached(model, "attention") is None:
            return []  # an exported model, in which they are frozen
        layers = [spans.tolist() for spans in _installed(model).by_layer()]
        rows = [(layer, head, span) for layer, spans in enumerate(layers) for head, span in enumerate(spans)]
        note = f"Tokens on each side with full weight in a head; over the next {self.ramp} the weight decays to zero."
        return [Table("spans", "Learned spans", columns=("layer", "head", "span"), rows=rows, note=note, drawn=HEADS)]

    def _longest(self, model: Any) -> int:
        """Return the tokens of the longest span."""
        longest = self.max_span or position_limit(model.config)
        if not longest:
            raise UserError(
                f"strategy.attention.max_span=null means as many tokens as the model has positions, but model type "
                f"`{model.config.model_type}` has no such limit: give strategy.attention.max_span=<tokens>."
            )
        return int(longest)

    def _mask(self, *args: Any, **kwargs: Any) -> Tiles:
        """Build the mask; called by the library's mask interface once per forward pass, not per layer."""
        return Tiles(masks.library_mask(*args, **kwargs))

    def _attend(
        self,
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: Tiles | torch.Tensor | None,
        dropout: float = 0.0,
        scaling: float | None = None,
        is_causal: bool | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, None]:
        """Map (B, H, L, D) to (B, L, H, D); called by the library's attention interface."""
        refuse_unknown(kwargs)
        if not isinstance(attention_mask, Tiles):
            causal = called_causally(module, is_causal)
            attention_mask = Tiles(masks.from_tensor(query, key, attention_mask, causal))
        own: LayerSpans = getattr(module, SPAN)
        if self._frozen is not None:
            plans = self._exported(library=attention_mask.library, layer=own.layer)
            return attend(query, key, value, plans=plans, scaling=scaling), None
        spans = own.spans.by_layer()[own.layer]
        output = soft_span_attention(
            query, key, value=value, spans=spans, tiles=attention_mask, ramp=self.ramp, dropout=dropout, scaling=scaling
        )
        return output, None


class Spans(torch.nn.Module):
    """The learned spans of a model; the longest span is saved too, so that checkpoints define them in tokens."""

    longest: torch.Tensor

    def __init__(self, num_heads: list[int], longest: int, initial: float) -> None:
        """Take the heads of each layer, the longest span in tokens, and the initial fraction of it."""
        super().__init__()
        self.num_heads = num_heads
        # A vector instead of a matrix (layers, heads), as optimizers apply weight decay to matrices.
        self.shares = torch.nn.Parameter(torch.full((sum(num_heads),), initial))
        self.register_buffer("longest", torch.tensor(float(longest)))

    def tokens(self) -> torch.Tensor:
        """Return (layers · H,): spans in tokens, fp32."""
        shares: torch.Tensor = Bounded.apply(self.shares)
        return shares.float() * self.longest.float()

    def by_layer(self) -> tuple[torch.Tensor, ...]:
        """Return the spans in tokens of each layer, (H,) each."""
        layers: tuple[torch.Tensor, ...] = self.tokens().split(self.num_heads)
        return layers


@dataclass(frozen=True, slots=True)
class LayerSpans:
    """Reference of an attention module to its spans; not a module, so that spans are registered only once."""

    spans: Spans
    layer: int


class Bounded(torch.autograd.Function):
    """Clamps to 0 … 1; at a bound only the gradient beyond it is dropped, so that values can return from there."""

    @staticmethod
    def forward(ctx: Any, shares: torch.Tensor) -> torch.Tensor:
        """Clamp the fractions to 0 … 1."""
        ctx.save_for_backward(shares)
        return shares.clamp(0, 1)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        """Drop the gradient where a step, which is against it, would leave 0 … 1."""
        (shares,) = ctx.saved_tensors
        beyond = ((shares <= 0) & (gradient > 0)) | ((shares >= 1) & (gradient < 0))
        return gradient.masked_fill(beyond, 0)


def _installed(model: Any) -> Spans:
    spans = added_modules.attached(model, "attention")
    assert isinstance(spans, Spans)
    return spans
