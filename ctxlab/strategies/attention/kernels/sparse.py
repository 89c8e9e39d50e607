"""The base class of sparse patterns: a part declares which pairs attend and how they are cut into blocks."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.parts import Part
from ctxlab.core.prefix import attend, is_taking, prefix_of
from ctxlab.core.strategy import ModelKind
from ctxlab.strategies.attention.kernels import masks
from ctxlab.strategies.attention.kernels.base import BaseAttention
from ctxlab.strategies.attention.kernels.exported import Exportable, ExportedPlans, lengths_of, prepare
from ctxlab.strategies.attention.kernels.exported import attend as attend_exported
from ctxlab.strategies.attention.kernels.interface import called_causally, install, refuse_unknown
from ctxlab.strategies.attention.kernels.masks import LibraryMask
from ctxlab.strategies.attention.kernels.plan import Plan, PreparedPlan, PreparedPlans, attend_by_heads
from ctxlab.strategies.attention.kernels.relative import RelativeBias, as_bias


class Sparse(BaseAttention, ABC):
    """Computes a declared pattern by plans, never L × L where the plans are cheaper; subclass it for a new pattern.

    A bias that the model adds to its scores (T5's relative bias) is kept, and looked up for the computed pairs only.
    """

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder", "encoder_decoder"})
    _split: tuple[Part, torch.Tensor] | None = None
    _longest: int | None = None
    """Tokens of the longest window while the model is exported; None otherwise."""
    table: torch.Tensor | None = None
    """What ``lookup`` has returned, while the model is exported."""
    by_length: bool = False
    """Whether the pattern depends on the length of the document, so that rows of a batch may differ."""

    def __init__(self, **parameters: Any) -> None:
        """Take the options, which are part of the pattern's name and are recorded in the config."""
        self.parameters = parameters

    @abstractmethod
    def plans(self, length: int, lengths: Sequence[int]) -> tuple[Plan, ...]:
        """Return one plan for all heads, or one for each half of them.

        Args:
            length: Tokens of the batch's windows, padding included.
            lengths: Tokens of each document, or a single number where all are equal.
        """

    def pairs(self, length: int) -> int:
        """Return the pairs that the kernel computes for one head on average, in a model that is not causal."""
        plans = self.plans(length, [length])
        return sum(plan.pairs(length) for plan in plans) // len(plans)

    @property
    def kind(self) -> str:
        """Return the pattern's name on the command line, that of its file."""
        return option(self)

    @property
    def name(self) -> str:
        """Return the name under which the pattern is registered with the library."""
        return "_".join(["ctxlab", self.kind, *(str(value) for value in self.parameters.values())])

    def install(self, model: Any) -> None:
        """Make every self-attention of ``model`` use the pattern; in an encoder-decoder, of the encoder only."""
        install(
            model,
            self.name,
            attention=self._attend,
            mask=self._mask,
            declared={"name": self.kind, **self.parameters},
            takes_tensors=True,
        )

    @contextmanager
    def split(self, part: Part, padding: torch.Tensor) -> Iterator[None]:
        """Within the block, compute a part of every window; its single plan has blocks only."""
        self._split = part, padding
        try:
            yield
        finally:
            self._split = None

    @contextmanager
    def exporting(self, longest: int) -> Iterator[None]:
        """Within the block, compute the plans of ``exported``, which are shown to the model as they are."""
        self._longest, self.table = longest, self.lookup(longest)
        try:
            yield
        finally:
            self._longest = self.table = None

    def lookup(self, longest: int) -> torch.Tensor | None:
        """Return what ``exported`` looks up by length, which it finds in ``table``; None where it looks nothing up."""
        return None

    def exported(self, length: int, lengths: torch.Tensor, longest: int) -> tuple[Exportable, ...]:
        """Return plans that can be exported, one for all heads or one for each half; see ``kernels.exported``.

        Needed where ``unexportable`` is None.

        Args:
            length: Tokens of the batch's windows, padding included; symbolic during an export.
            lengths: (B, 1, 1, 1) tokens of each document.
            longest: Tokens of the longest window that the exported model receives.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be exported")

    def _mask(self, *args: Any, **kwargs: Any) -> PreparedPlans | ExportedPlans:
        """Build the mask; called by the library's mask interface once per forward pass, not per layer."""
        if self._longest is not None:
            library = masks.library_mask(*args, **kwargs)
            return prepare(library, self.exported(library.num_keys, lengths_of(library), self._longest))
        if self._split is None:
            return self._prepare(masks.library_mask(*args, **kwargs))
        part, padding = self._split
        (plan,) = self.plans(padding.shape[1], [padding.shape[1]])
        return PreparedPlans((plan.prepare_part(part, padding, **kwargs),))

    def _prepare(self, library: LibraryMask) -> PreparedPlans:
        end = library.num_keys + library.key_offset
        lengths = library.lengths() if self.by_length else [end]
        plans = self.plans(end, lengths)
        return PreparedPlans(tuple(plan.prepare(library, lengths if self.by_length else ()) for plan in plans))

    def _attend(
        self,
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: PreparedPlans | ExportedPlans | torch.Tensor | None,
        dropout: float = 0.0,
        scaling: float | None = None,
        is_causal: bool | None = None,
        position_bias: RelativeBias | torch.Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, None]:
        """Map (B, H, L, D) to (B, L, H, D); called by the library's attention interface."""
        refuse_unknown(kwargs)
        if isinstance(attention_mask, ExportedPlans):
            if position_bias is not None or prefix_of(module) is not None:
                raise NotImplementedError("relative positions or trained keys in a sparse pattern")
            return attend_exported(query, key, value, plans=attention_mask, scaling=scaling), None
        if is_taking():
            return attend(module, query, key, value=value, attention_mask=None, is_causal=is_causal, scaling=scaling)
        if self._split is not None and not isinstance(attention_mask, PreparedPlans):
            raise NotImplementedError("the model does not build its mask by the library's interface")
        if isinstance(attention_mask, torch.Tensor) or attention_mask is None:
            causal = called_causally(module, is_causal)
            attention_mask = self._prepare(masks.from_tensor(query, key, attention_mask, causal))
        prefix = prefix_of(module)
        if prefix is not None and (position_bias is not None or self._split is not None):
            raise NotImplementedError("trained keys beside relative positions, or in a window split among processes")
        bias = None if position_bias is None else as_bias(position_bias)
        plans = attention_mask.of_layer(bias, prefix)
        output = self._compute(query, key, value=value, plans=plans, dropout=dropout, scaling=scaling)
        return output.contiguous(), None

    def _compute(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        plans: tuple[PreparedPlan, ...],
        dropout: float,
        scaling: float | None,
    ) -> torch.Tensor:
        """Compute attention by the plans: (B, H, L, D) to (B, L, H, D).

        Args:
            query: (B, H, L, D)
            key: (B, K, L, D)
            value: (B, K, L, D)
            plans: One for all heads, or one for each half of them.
            dropout: Fraction of weights to drop.
            scaling: Factor of the scores; None for D ** −0.5.
        """
        return attend_by_heads(query, key, value, plans, dropout=dropout, scaling=scaling)


def at_least(least: int, meaning: str, /, **parameter: int) -> None:
    """Check that an option of an attention part is not too small.

    Raises:
        UserError: It is; the message names option, value, minimum and ``meaning``.
    """
    ((name, value),) = parameter.items()
    if value < least:
        raise UserError(f"strategy.attention.{name}={value} must be at least {least}: {meaning}.")
