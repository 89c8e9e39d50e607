"""Fewer attention heads for longer documents."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from transformers.masking_utils import sdpa_mask

from ctxlab.core.architecture import num_heads
from ctxlab.core.errors import UserError
from ctxlab.core.strategy import ModelKind, Pattern
from ctxlab.strategies.attention.kernels.base import BaseAttention
from ctxlab.strategies.attention.kernels.exported import lengths_of
from ctxlab.strategies.attention.kernels.interface import called_causally, install, refuse_unknown
from ctxlab.strategies.attention.kernels.masks import LibraryMask, library_mask
from ctxlab.strategies.attention.kernels.sparse import at_least

UNKNOWN_HEADS = 720
"""Heads in cost estimates without a model; divisible by many numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What the mask interface passes to the attention interface."""

    mask: torch.Tensor | None
    """(B, 1, queries, keys) bool; None where the kernel's own causal or full attention suffices."""
    lengths: Sequence[int] | torch.Tensor
    """Tokens of each document, or a single number where all are equal; (b, 1, 1, 1) while the model is exported."""


class DynamicHeads(BaseAttention):
    """Computes the first H · (reference / length) ^ exponent heads of each layer; the others output zero.

    The number is rounded, at least ``least`` and at most all. The output projection receives zeros for omitted heads,
    and the others are not rescaled: a model trained under the rule learns suitable weights for each length. With an
    exponent of 1 the time grows linearly with the length instead of quadratically, until ``least`` is reached.

    Source: no paper; the rule is ours. Michel et al. 2019 (arXiv:1905.10650, "Are Sixteen Heads Really Better than
    One?") show that many heads can be removed, in some layers all but one; they rank heads by their gradient and
    remove the same ones for every input. Here the last heads are omitted, without ranking, and only for long inputs.
    The length is that of each document's window without padding, independent of the rest of the batch.
    """

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder"})
    unexportable = None
    _longest: int | None = None
    """Tokens of the longest window while the model is exported; None otherwise."""

    def __init__(self, reference: int = 2048, exponent: float = 1.0, least: int = 2) -> None:
        """Take the longest length with all heads, the exponent of the decrease, and the minimum number of heads."""
        at_least(1, "tokens of the longest document for which all heads are computed", reference=reference)
        at_least(1, "heads that are computed at any length", least=least)
        if not exponent > 0:
            raise UserError(
                f"strategy.attention.exponent={exponent} must be above 0, so that the number of heads decreases with "
                "the length; use strategy/attention=full to compute all of them."
            )
        self.reference, self.exponent, self.least = reference, exponent, least
        self.num_heads: int | None = None
        """Heads of the model that it is installed in."""

    @property
    def name(self) -> str:
        """Return the name under which the part is registered with the library."""
        return f"ctxlab_dynamic_heads_{self.reference}_{self.exponent}_{self.least}"

    def heads(self, length: int, num_heads: int) -> int:
        """Return how many of ``num_heads`` are computed in a document of ``length`` tokens."""
        wanted: int = round(num_heads * (self.reference / max(length, 1)) ** self.exponent)
        return min(max(wanted, self.least), num_heads)

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Declare all pairs, which the first heads attend to."""
        del length
        return torch.ones(torch.broadcast_shapes(query.shape, key.shape), dtype=torch.bool, device=query.device)

    def pattern_of_head(self, inputs: Mapping[str, torch.Tensor], row: int, head: int, num_heads: int) -> Pattern:
        """Return all pairs, or none where the head is omitted, which depends on the length."""
        del inputs, row
        return lambda query, key, length: self.allowed(query, key, length) & (head < self.heads(length, num_heads))

    def pairs(self, length: int) -> int:
        """Return the pairs on average over the model's heads; before ``install``, over ``UNKNOWN_HEADS``."""
        num_heads = self.num_heads or UNKNOWN_HEADS
        return length * length * self.heads(length, num_heads) // num_heads

    def install(self, model: Any) -> None:
        """Make every self-attention of ``model`` follow the rule.

        Raises:
            UserError: The model has fewer heads than ``least``, or the rule would not take effect.
        """
        count = num_heads(model) or 0
        if self.least > count:
            raise UserError(
                f"strategy.attention.least={self.least} is more than the {count} heads of the model: "
                f"give at most {count}."
            )
        declared = {"reference": self.reference, "exponent": self.exponent, "least": self.least}
        install(
            model, self.name, attention=self._attend, mask=self._mask, declared={"name": "dynamic_heads", **declared}
        )
        self.num_heads = count

    @contextmanager
    def exporting(self, longest: int) -> Iterator[None]:
        """Within the block, compute all heads, of which those that the length omits are then replaced by zero."""
        self._longest = longest
        try:
            yield
        finally:
            self._longest = None

    def _shown(self, lengths: torch.Tensor, num_heads: int) -> torch.Tensor:
        """Return (b, 1, H, 1) bool: which heads are computed in documents of ``lengths`` (b, 1, 1, 1)."""
        assert self._longest is not None
        table = torch.tensor([self.heads(max(own, 1), num_heads) for own in range(self._longest + 1)])
        return torch.arange(num_heads).view(1, 1, -1, 1) < table.index_select(0, lengths.flatten()).view(-1, 1, 1, 1)

    def _mask(self, *args: Any, **kwargs: Any) -> Batch:
        """Return the library's own mask for SDPA and the length of each document; called by its mask interface."""
        library = library_mask(*args, **kwargs)
        lengths = _lengths(library) if self._longest is None else lengths_of(library)
        return Batch(sdpa_mask(*args, **kwargs), lengths)

    def _attend(
        self,
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: Batch | torch.Tensor | None,
        dropout: float = 0.0,
        scaling: float | None = None,
        is_causal: bool | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, None]:
        """Map (B, H, L, D) to (B, L, H, D); called by the library's attention interface."""
        refuse_unknown(kwargs)
        batch = attention_mask if isinstance(attention_mask, Batch) else Batch(attention_mask, [key.shape[2]])
        causal = called_causally(module, is_causal)
        causal = causal and batch.mask is None and query.shape[2] > 1
        if isinstance(batch.lengths, torch.Tensor):
            groups = query.shape[1] // key.shape[1]
            key, value = (part.repeat_interleave(groups, 1) if groups > 1 else part for part in (key, value))
            every = F.scaled_dot_product_attention(
                query, key, value, attn_mask=batch.mask, is_causal=causal, scale=scaling
            ).transpose(1, 2)
            return torch.where(self._shown(batch.lengths, query.shape[1]), every, 0.0), None
        counts = [self.heads(length, query.shape[1]) for length in batch.lengths]
        output = value.new_zeros(*query.transpose(1, 2).shape[:3], value.shape[-1])  # (B, L, H, D)
        # One kernel call for all windows with the same number of heads.
        for count in sorted(set(counts)):
            rows = slice(None) if len(set(counts)) == 1 else [row for row, own in enumerate(counts) if own == count]
            mask = None if batch.mask is None else batch.mask[rows]
            q, k, v = _first(count, query, key=key, value=value, rows=rows)
            found = F.scaled_dot_product_attention(  # (rows, count, L, D)
                q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=causal, scale=scaling
            )
            output[rows, :, :count] = found.transpose(1, 2)
        return output, None


def _first(
    count: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, rows: slice | list[int]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the first ``count`` query heads of some windows, each with its own key and value head.

    Args:
        count: Number of query heads.
        query: (B, H, L, D)
        key: (B, K, L, D)
        value: (B, K, L, D)
        rows: Windows of the batch.
    """
    groups = query.shape[1] // key.shape[1]
    shared = slice(math.ceil(count / groups))
    key, value = (part[rows, shared].repeat_interleave(groups, 1)[:, :count] for part in (key, value))
    return query[rows, :count], key, value


def _lengths(library: LibraryMask) -> list[int]:
    """Return the tokens of each document, left- or right-padded; a single number where all are equal."""
    end = library.num_keys + library.key_offset
    if library.padding is None:
        return [end]
    lengths: list[int] = library.padding[:, :end].sum(1).tolist()
    return lengths if len(set(lengths)) > 1 else lengths[:1]
