"""Attention within groups of tokens, which half of the heads shift by half a group; for training only."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from transformers.masking_utils import sdpa_mask

from ctxlab.core.architecture import num_heads
from ctxlab.core.errors import UserError
from ctxlab.core.prefix import attend
from ctxlab.core.strategy import Pattern
from ctxlab.strategies.attention.kernels.exported import ExportedPlans
from ctxlab.strategies.attention.kernels.order import after_empty
from ctxlab.strategies.attention.kernels.plan import Plan, PreparedPlans
from ctxlab.strategies.attention.kernels.relative import RelativeBias
from ctxlab.strategies.attention.kernels.spans import Layout
from ctxlab.strategies.attention.kernels.sparse import Sparse, at_least

GROUPS = 4
"""Groups of the longest window where ``group`` is not given, as in the paper."""

UNFITTED = 512
"""Tokens of a group where neither ``group`` nor a window is given: a quarter of 2,048."""

_reads: ContextVar[bool] = ContextVar("whether models read with full attention", default=False)


@dataclass(frozen=True, slots=True, eq=False)
class FullMask:
    """The library's own mask for SDPA, which the mask interface passes to the attention interface."""

    mask: torch.Tensor | None
    """(B, 1, queries, keys) bool; None where the kernel's own causal or full attention suffices."""


class Shifted(Sparse):
    """Lets tokens attend within groups; in the second half of the heads, groups begin half a group earlier.

    Through these heads information passes from group to group. The pattern is for training only: evaluation and
    prediction read with the full attention of the library.

    Source: S²-Attn of LongLoRA (Chen et al. 2023, arXiv:2309.12307). Deviations: there is no wrap-around, so that the
    first and the last group of a shifted head are short. The authors roll the tokens, which joins both ends of the
    text in one group: in a causal model g² / 4 pairs of each shifted head then see the future. The last group may be
    short, where the authors require a multiple of the group.
    """

    caches = True
    shifts = True
    trains_only = True
    unexportable = None

    def __init__(self, group: int | None = None) -> None:
        """Take the tokens of a group; None for a quarter of the longest window."""
        if group is not None:
            at_least(2, "tokens of a group, which half of the heads shift by half of it", group=group)
        self.is_given = group is not None
        self.group = UNFITTED if group is None else group
        self.window: int | None = None
        super().__init__(group=self.group)

    def fit(self, window: int) -> None:
        """Set the tokens of a group to a quarter of the longest window, unless they are given."""
        self.window = window
        if not self.is_given:
            self.group = max(math.ceil(window / GROUPS), 2)
        self.parameters = {"group": self.group}

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Declare pairs that are in the same group, shifted or not."""
        del length
        return self._together(query, key, 0) | self._together(query, key, self.group // 2)

    def pattern_of_head(self, inputs: Mapping[str, torch.Tensor], row: int, head: int, num_heads: int) -> Pattern:
        """Return the pattern without a shift for the first num_heads // 2 heads, and the shifted one for the others."""
        del inputs, row
        shift = 0 if head < num_heads // 2 else self.group // 2
        return lambda query, key, _: self._together(query, key, shift)

    def _together(self, query: torch.Tensor, key: torch.Tensor, shift: int) -> torch.Tensor:
        """Return whether query and key are in the same group, if groups begin ``shift`` tokens earlier."""
        return (query + shift) // self.group == (key + shift) // self.group

    def plans(self, length: int, lengths: Sequence[int]) -> tuple[Plan, ...]:
        """Return groups as blocks; for shifted heads, after as many empty places as the shift."""
        del lengths
        groups, shift = Layout(self.group, 0, right=0, num_global=0), self.group // 2
        return (
            Plan(lambda query, key, _: self._together(query, key, 0), groups),
            Plan(lambda query, key, _: self._together(query, key, shift), groups, after_empty(length, shift)),
        )

    def install(self, model: Any) -> None:
        """Make every self-attention of ``model`` use the pattern; in an encoder-decoder, of the encoder only.

        Raises:
            UserError: The model has one head, a group is as long as a window, or the pattern would not take effect.
        """
        if num_heads(model) == 1:
            raise UserError(
                "strategy/attention=shifted shifts half of the heads, and the model has 1 head; use "
                "strategy/attention=local."
            )
        if self.window is not None and self.group >= self.window:
            raise UserError(
                f"strategy.attention.group={self.group} is not less than the {self.window:,} tokens of a window, so "
                f"that half of the heads would compute all pairs: use {max(self.window // GROUPS, 2)}, or "
                "strategy/attention=full."
            )
        super().install(model)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Within the block, every model that the part is installed in attends to all pairs."""
        token = _reads.set(True)
        try:
            yield
        finally:
            _reads.reset(token)

    @contextmanager
    def exporting(self, longest: int) -> Iterator[None]:
        """Attend to all pairs, as evaluation and prediction do."""
        with self.reading():
            yield

    def _mask(self, *args: Any, **kwargs: Any) -> PreparedPlans | FullMask | ExportedPlans:  # type: ignore[override]
        """Build the mask; called by the library's mask interface once per forward pass, not per layer."""
        return FullMask(sdpa_mask(*args, **kwargs)) if _reads.get() else super()._mask(*args, **kwargs)

    def _attend(
        self,
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: Any,
        dropout: float = 0.0,
        scaling: float | None = None,
        is_causal: bool | None = None,
        position_bias: RelativeBias | torch.Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, None]:
        """Map (B, H, L, D) to (B, L, H, D); called by the library's attention interface."""
        options = {"dropout": dropout, "scaling": scaling, "is_causal": is_causal, **kwargs}
        if not _reads.get():
            return super()._attend(
                module, query, key, value=value, attention_mask=attention_mask, position_bias=position_bias, **options
            )
        mask = attention_mask.mask if isinstance(attention_mask, FullMask) else attention_mask
        if position_bias is not None:
            options["position_bias"] = (
                position_bias.pairs() if isinstance(position_bias, RelativeBias) else position_bias
            )
        full: tuple[torch.Tensor, None] = attend(module, query, key, value=value, attention_mask=mask, **options)
        return full
