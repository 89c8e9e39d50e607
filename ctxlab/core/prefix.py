"""Trained keys and values that every query of a self-attention sees, whatever its pattern (prefix, prompt tuning).

A tuning rule gives them to attention modules; attention parts, and the library's own attention by ``attend``, put them
before the keys and values of the text. They are never masked, and are not in a KV cache. They are trained themselves,
or those of trained tokens, which the layers compute in a pass of their own (``taking``).

Shape legend: B windows, H query heads, K key heads, Q queries, S keys, P trained keys, D head width.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from transformers.integrations.sdpa_attention import sdpa_attention_forward

ATTRIBUTE = "ctxlab_prefix"
"""Attribute of an attention module: a tuple with the module of a tuning rule that has its keys and values."""

NAME = "ctxlab_prefix"
"""Name under which ``attend`` is registered with the library, for full attention."""

_ignored: ContextVar[bool] = ContextVar("whether prefixes are left out", default=False)

_taken: ContextVar[bool] = ContextVar("whether keys and values are those of trained tokens, to be kept", default=False)

_counted: ContextVar[list[int] | None] = ContextVar("which prefixes are used", default=None)


@dataclass(frozen=True, slots=True, eq=False)
class Prefix:
    """The trained keys and values of one attention, or of some of its heads."""

    keys: torch.Tensor
    """(K, P, D)"""
    values: torch.Tensor
    """(K, P, D)"""
    owner: int
    """Identity of the attention module."""

    def of_heads(self, heads: slice) -> "Prefix":
        """Return the prefix of some key heads."""
        return Prefix(self.keys[heads], self.values[heads], self.owner)

    def repeated(self, groups: int) -> "Prefix":
        """Return a prefix with a copy of each key head for each of its ``groups`` query heads."""
        keys, values = (one.repeat_interleave(groups, 0) for one in (self.keys, self.values))
        return Prefix(keys, values, self.owner)

    def before(self, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return keys and values (B, K, P + S, D) with the prefix before those of the text (B, K, S, D)."""
        if (used := _counted.get()) is not None:
            used.append(self.owner)
        pairs = ((self.keys, key), (self.values, value))
        joined = [torch.cat([own[None].expand(len(text), -1, -1, -1).to(text.dtype), text], 2) for own, text in pairs]
        return joined[0], joined[1]

    def shown(self, mask: torch.Tensor | None) -> torch.Tensor | None:
        """Return a mask (…, Q, P + S) that shows the prefix to all queries; None stays None."""
        size = self.keys.shape[1]
        if mask is None:
            return None
        return F.pad(mask, (size, 0), value=True) if mask.dtype == torch.bool else F.pad(mask, (size, 0))


def prefix_of(module: Any) -> Prefix | None:
    """Return the prefix that a tuning rule has given to an attention ``module``, or None."""
    found = getattr(module, ATTRIBUTE, None)
    if found is None or found[0].keys is None or _ignored.get():
        return None
    return Prefix(found[0].keys, found[0].values, id(module))


class Taken:
    """Keys and values (K, P, D) that an attention has computed for trained tokens; none before the first pass.

    A copy begins without them, as they belong to the weights that computed them.
    """

    def __init__(self) -> None:
        self.keys: torch.Tensor | None = None
        self.values: torch.Tensor | None = None

    def __deepcopy__(self, memo: Any) -> "Taken":
        del memo
        return Taken()


@contextmanager
def taking() -> Iterator[None]:
    """Pass trained tokens alone through a model in this context: attentions with a ``Taken`` keep keys and values.

    Every token sees every other, but in a causal model only those before it, whatever the pattern.
    """
    token = _taken.set(True)
    try:
        yield
    finally:
        _taken.reset(token)


def is_ignored() -> bool:
    """Whether trained keys and values are left out, so that trained tokens need not pass through the layers."""
    return _ignored.get()


def is_taking() -> bool:
    """Whether the tokens of this pass are trained ones alone."""
    return _taken.get()


@contextmanager
def without_prefix() -> Iterator[None]:
    """Leave out all prefixes until the end of the block, to look at the text's keys alone."""
    token = _ignored.set(True)
    try:
        yield
    finally:
        _ignored.reset(token)


@contextmanager
def counting() -> Iterator[list[int]]:
    """Collect the identity of each attention module whose prefix is used in this context."""
    used: list[int] = []
    token = _counted.set(used)
    try:
        yield used
    finally:
        _counted.reset(token)


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    is_causal: bool | None = None,
    position_bias: torch.Tensor | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Compute the library's full attention with the prefix of ``module``, if it has one.

    Args:
        module: The attention module.
        query: (B, H, Q, D)
        key: (B, K, S, D)
        value: (B, K, S, D)
        attention_mask: (B, 1, Q, S) bool or additive; None for none.
        is_causal: Whether attention is causal where there is no mask; None if the module says so.
        position_bias: (1 or B, H, Q, S) added to the scores; None for none.
        kwargs: Other arguments of the library's function.

    Returns:
        (B, Q, H, D), and None for the weights.
    """
    prefix = None if is_taking() else prefix_of(module)
    options = {"is_causal": is_causal, **kwargs}
    if is_taking():
        attention_mask = None
        options["is_causal"] = bool(getattr(module, "is_causal", True) if is_causal is None else is_causal)
        if (own := getattr(module, ATTRIBUTE, None)) is not None:
            own[0].keys, own[0].values = key[0], value[0]
    if prefix is not None:
        causal = bool(getattr(module, "is_causal", True) if is_causal is None else is_causal)
        if attention_mask is None and causal and query.shape[2] > 1:
            attention_mask = _causal(query.shape[2], key.shape[2], query.device)
        attention_mask = prefix.shown(attention_mask)
        position_bias = None if position_bias is None else F.pad(position_bias, (prefix.keys.shape[1], 0))
        key, value = prefix.before(key, value)
        options["is_causal"] = False  # the mask, where there is one, says all
    if position_bias is not None:
        options["position_bias"] = position_bias
    found: tuple[torch.Tensor, None] = sdpa_attention_forward(
        module, query, key, value=value, attention_mask=attention_mask, **options
    )
    return found


def _causal(queries: int, keys: int, device: torch.device) -> torch.Tensor:
    """Return (1, 1, Q, S) bool: the last query sees all keys, each other one fewer by one."""
    place = torch.arange(keys, device=device)
    return (place[None] <= place[keys - queries :, None])[None, None]
