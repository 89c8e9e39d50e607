"""Full attention whose scores are scaled with the logarithm of the number of keys."""

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from transformers.masking_utils import sdpa_mask

from ctxlab.core.architecture import installed, position_limit, text_config
from ctxlab.core.errors import UserError
from ctxlab.core.prefix import attend, is_taking
from ctxlab.core.strategy import ModelKind
from ctxlab.strategies.attention.kernels.base import BaseAttention
from ctxlab.strategies.attention.kernels.interface import called_causally, install, refuse_unknown
from ctxlab.strategies.attention.kernels.relative import RelativeBias
from ctxlab.strategies.attention.kernels.sparse import at_least


@dataclass(frozen=True, slots=True, eq=False)
class CountedMask:
    """The library's own mask for SDPA, with the keys that each query sees."""

    mask: torch.Tensor | None
    """(B, 1, Q, S) bool; None where every query sees all keys, or all before it in a causal model."""
    num_keys: torch.Tensor | None
    """(B, 1, Q, 1) int; None where ``mask`` is."""


class Scaled(BaseAttention):
    """Multiplies the scores of a query that sees n keys by log(n) / log(reference), everything else is full attention.

    The softmax over more keys is flatter; this factor keeps it as sharp as at the reference length. n counts what the
    model itself lets a query see: the tokens of its own window without padding in an encoder, those up to itself in a
    causal model, so that the text that follows changes nothing and a KV cache may be used; keys of a memory count too.
    A bias that the model adds to its scores (T5) is scaled with them.

    Source: Scalable-Softmax (Nakanishi 2025, arXiv:2501.19399), s · log(n) in place of 1; Chiang & Cholak 2022
    (arXiv:2202.12172) have log(n) for encoders. Deviations: s is not learned for each head but 1 / log(reference), so
    that a model is as it was trained at that length; without ``shorter``, the factor is at least 1.
    """

    caches = True
    shifts = True
    unexportable = None
    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder", "encoder_decoder"})

    def __init__(self, reference: int | None = None, shorter: bool = False) -> None:
        """Take the keys at which scores are as trained (None: trained length), and whether fewer scale them down."""
        if reference is not None:
            at_least(2, "keys at which the scores are as the model was trained with", reference=reference)
        self.reference, self.shorter = reference, shorter
        self.longest: int | None = None

    @property
    def name(self) -> str:
        """Return the name under which the part is registered with the library."""
        return f"ctxlab_scaled_{self.reference}_{self.shorter}"

    def fit(self, window: int) -> None:
        """Note the tokens of the longest window, to say where nothing is scaled."""
        self.longest = window

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Declare all pairs."""
        del length
        return torch.ones(torch.broadcast_shapes(query.shape, key.shape), dtype=torch.bool, device=query.device)

    def pairs(self, length: int) -> int:
        """Return the square of the length."""
        return length * length

    def sharpening(self, num_keys: torch.Tensor) -> torch.Tensor:
        """Return log(n) / log(reference) for n keys, at least 1 without ``shorter``; fp32, of the same shape."""
        assert self.reference is not None, "install sets it"
        factor = num_keys.clamp(min=1).float().log() / math.log(self.reference)
        return factor if self.shorter else factor.clamp(min=1.0)

    def install(self, model: Any) -> None:
        """Make every self-attention of ``model`` scale its scores; in an encoder-decoder, of the encoder only.

        Raises:
            UserError: The model has no trained length and no reference is given, or the scaling would not take effect.
        """
        if self.reference is None:
            self.reference = _trained_length(model)
        declared = {"name": "scaled", "reference": self.reference, "shorter": self.shorter}
        install(model, self.name, attention=self._attend, mask=self._mask, declared=declared)

    @property
    def idle(self) -> str:
        """Say that no window has more tokens than the reference, so that no score is scaled."""
        if self.longest is None or self.reference is None or self.longest > self.reference or self.shorter:
            return ""
        return (
            f"strategy/attention=scaled changes nothing in windows of {self.longest:,} tokens: it scales the scores of "
            f"queries that see more than strategy.attention.reference={self.reference} keys"
        )

    def exporting(self, longest: int) -> AbstractContextManager[None]:
        """Change nothing: no step depends on the content of tensors."""
        return nullcontext()

    def _mask(self, *args: Any, **kwargs: Any) -> CountedMask:
        """Return the library's own mask and its keys; called by its mask interface once per pass, not per layer."""
        mask = sdpa_mask(*args, **kwargs)
        return CountedMask(mask, None if mask is None else mask.sum(-1, keepdim=True))

    def _attend(
        self,
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: CountedMask | torch.Tensor | None,
        dropout: float = 0.0,
        scaling: float | None = None,
        is_causal: bool | None = None,
        position_bias: RelativeBias | torch.Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, None]:
        """Map (B, H, Q, D) to (B, Q, H, D); called by the library's attention interface."""
        refuse_unknown(kwargs)
        counted = attention_mask if isinstance(attention_mask, CountedMask) else _counted(attention_mask)
        bias = position_bias.pairs() if isinstance(position_bias, RelativeBias) else position_bias
        if not is_taking():  # trained tokens alone are no text of some length
            num_keys = counted.num_keys
            if num_keys is None:
                num_keys = _without_mask(query.shape[2], key, causal=called_causally(module, is_causal))
            factor = self.sharpening(num_keys)  # (B or 1, 1, Q, 1)
            query, bias = _times(query, factor), None if bias is None else _times(bias, factor)
        options: dict[str, Any] = {"dropout": dropout, "scaling": scaling, "is_causal": is_causal}
        return attend(module, query, key, value=value, attention_mask=counted.mask, position_bias=bias, **options)


def _times(tensor: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Return the product in the type of ``tensor``, computed in fp32 at least."""
    wide = torch.promote_types(tensor.dtype, torch.float32)
    return (tensor.to(wide) * factor.to(wide)).to(tensor.dtype)


def _counted(mask: torch.Tensor | None) -> CountedMask:
    """Count the keys of a mask that a model passes without the mask interface.

    Raises:
        NotImplementedError: It is added to the scores, so that it does not say which keys a query sees.
    """
    if mask is not None and mask.dtype != torch.bool:
        raise NotImplementedError("the model passes a mask of numbers, which does not say how many keys a query sees")
    return CountedMask(mask, None if mask is None else mask.sum(-1, keepdim=True))


def _without_mask(num_queries: int, key: torch.Tensor, *, causal: bool) -> torch.Tensor:
    """Return (1, 1, Q, 1): the keys of each query where all are seen, or all before it; the last query is the last key.

    Args:
        num_queries: Number of queries (Q).
        key: (B, K, S, D)
        causal: Whether each query but the last sees one key fewer than the next.
    """
    place = torch.arange(num_queries, device=key.device)
    seen = place + (key.shape[2] - num_queries + 1) if causal else place * 0 + key.shape[2]
    return seen[None, None, :, None]


def _trained_length(model: Any) -> int:
    """Return the reference that the model was saved with, else the tokens that it was trained for before any extension.

    Raises:
        UserError: Its positions have no limit.
    """
    before = installed(model.config, "attention")
    if before.get("name") == "scaled":
        return int(before["reference"])  # that of the checkpoint, at whatever length it is read now
    config = text_config(model.config)
    extended = installed(config, "positions") or installed(model.config, "positions")
    length = extended.get("trained_length") or position_limit(config)
    if length is None:
        raise UserError(
            f"strategy/attention=scaled needs the length that the model was trained for, and the positions of model "
            f"type `{model.config.model_type}` have none: give strategy.attention.reference=512, for example."
        )
    return int(length)
