"""Fewer heads for longer documents."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from transformers.masking_utils import sdpa_mask

from ctxlab.core.architecture import num_heads
from ctxlab.core.errors import UserError
from ctxlab.core.strategy import ModelKind, Pattern
from ctxlab.strategies.attention.kernels.base import Base
from ctxlab.strategies.attention.kernels.interface import install, refuse_unknown
from ctxlab.strategies.attention.kernels.masks import LibraryMask, library_mask
from ctxlab.strategies.attention.kernels.sparse import at_least

UNKNOWN_HEADS = 720
"""For estimates of the cost without a model."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What the mask interface hands to the attention interface."""

    mask: torch.Tensor | None
    """(B, 1, queries, keys) bool; None where the kernel's own causal or full attention will do."""
    lengths: Sequence[int]
    """Tokens of each document, or a single figure where all are alike."""


class DynamicHeads(Base):
    """Full attention of the first H · (reference / length) ^ exponent heads of each layer; the others give zero.

    Rounded to whole heads, at least ``least``, at most all. The output projection sees zeros for the heads left out,
    and what remains is not rescaled: a model trained under the rule learns the weights that it needs at each length.
    With an exponent of 1 the time grows with the length, no longer its square, until ``least`` is reached.

    Source: no paper; a rule stated here. That many heads can be removed, some layers going down to one, is shown by
    Michel et al. 2019 (arXiv:1905.10650, "Are Sixteen Heads Really Better than One?"), who rank heads by their
    gradient and remove the same ones for every input. Here it is the last ones that go, unranked, and only for long
    inputs. The length is that of each document's window without padding: what else is in the batch changes nothing.
    """

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder"})

    def __init__(self, reference: int = 2048, exponent: float = 1.0, least: int = 2) -> None:
        """Take the longest document with all heads, how fast they become fewer, and how many always attend."""
        at_least(1, "tokens of the longest document for which all heads attend", reference=reference)
        at_least(1, "heads that attend however long the document", least=least)
        if not exponent > 0:
            raise UserError(
                f"strategy.attention.exponent={exponent} must be above 0: heads become fewer with the length; "
                "use strategy/attention=full to keep them all."
            )
        self.reference, self.exponent, self.least = reference, exponent, least
        self.num_heads: int | None = None
        """Of the model that it is installed in."""

    @property
    def name(self) -> str:
        """Under which the part is registered with the library."""
        return f"ctxlab_dynamic_heads_{self.reference}_{self.exponent}_{self.least}"

    def heads(self, length: int, num_heads: int) -> int:
        """How many of ``num_heads`` attend in a document of ``length`` tokens."""
        wanted: int = round(num_heads * (self.reference / max(length, 1)) ** self.exponent)
        return min(max(wanted, self.least), num_heads)

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Everything, by the first heads."""
        del length
        return torch.ones(torch.broadcast_shapes(query.shape, key.shape), dtype=torch.bool, device=query.device)

    def pattern_of_head(self, inputs: Mapping[str, torch.Tensor], row: int, head: int, num_heads: int) -> Pattern:
        """``allowed_by_head``, the same for all windows."""
        del inputs, row
        return lambda query, key, length: self.allowed_by_head(query, key, length, head, num_heads)

    def allowed_by_head(
        self, query: torch.Tensor, key: torch.Tensor, length: int, head: int, num_heads: int
    ) -> torch.Tensor:
        """Everything or, for a head left out, nothing."""
        return self.allowed(query, key, length) & (head < self.heads(length, num_heads))

    def pairs(self, length: int) -> int:
        """On average over the heads of the model that it is installed in; before that, of as many as do not round."""
        num_heads = self.num_heads or UNKNOWN_HEADS
        return length * length * self.heads(length, num_heads) // num_heads

    def install(self, model: Any) -> None:
        """Put the rule into every self-attention of ``model``."""
        count = num_heads(model) or 0
        if self.least > count:
            raise UserError(
                f"strategy.attention.least={self.least} is more than the {count} heads of the model: "
                f"give at most {count}."
            )
        declared = {"reference": self.reference, "exponent": self.exponent, "least": self.least}
        install(model, self.name, self._attend, self._mask, {"name": "dynamic_heads", **declared})
        self.num_heads = count

    def _mask(self, *args: Any, **kwargs: Any) -> Batch:
        """For the library's mask interface: its own mask for SDPA, and how long each document is."""
        return Batch(sdpa_mask(*args, **kwargs), _lengths(library_mask(*args, **kwargs)))

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
        """For the library's attention interface: (B, H, L, D) to (B, L, H, D)."""
        refuse_unknown(kwargs)
        batch = attention_mask if isinstance(attention_mask, Batch) else Batch(attention_mask, [key.shape[2]])
        causal = bool(getattr(module, "is_causal", True) if is_causal is None else is_causal)
        causal = causal and batch.mask is None and query.shape[2] > 1
        counts = [self.heads(length, query.shape[1]) for length in batch.lengths]
        output = value.new_zeros(*query.transpose(1, 2).shape[:3], value.shape[-1])
        for count in sorted(set(counts)):
            rows = slice(None) if len(set(counts)) == 1 else [row for row, own in enumerate(counts) if own == count]
            mask = None if batch.mask is None else batch.mask[rows]
            q, k, v = _first(count, query, key, value, rows)
            found = F.scaled_dot_product_attention(q, k, v, mask, dropout, causal, scale=scaling)
            output[rows, :, :count] = found.transpose(1, 2)
        return output, None


def _first(
    count: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, rows: slice | list[int]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The first ``count`` query heads of some windows, each with its own key head."""
    groups = query.shape[1] // key.shape[1]
    shared = slice(math.ceil(count / groups))
    key, value = (part[rows, shared].repeat_interleave(groups, 1)[:, :count] for part in (key, value))
    return query[rows, :count], key, value


def _lengths(library: LibraryMask) -> list[int]:
    """Real tokens of each document, on whichever side the padding is; a single figure where all are alike."""
    end = library.num_keys + library.key_offset
    if library.padding is None:
        return [end]
    lengths: list[int] = library.padding[:, :end].sum(1).tolist()
    return lengths if len(set(lengths)) > 1 else lengths[:1]
