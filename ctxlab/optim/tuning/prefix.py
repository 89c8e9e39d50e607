"""Prefix tuning: trained keys and values that every token of a layer sees.

Shape legend: K key heads, P trained keys, D head width.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

from ctxlab.core import prefix
from ctxlab.core.architecture import INCOMPATIBLE, installed, layers, reading_stack, vocabulary_size
from ctxlab.core.errors import UserError
from ctxlab.core.matrices import Matrix
from ctxlab.core.quiet import evaluating, quiet
from ctxlab.optim.tuning.adapters.adapted import Adapted, Adapter, check_options

DEVIATION = 0.02
"""Standard deviation of new keys and values."""

SAMPLE_TOKENS = 8


class KeysAndValues(Adapter):
    """The trained keys and values of one self-attention."""

    changed = ()

    def __init__(self, num_heads: int, num_tokens: int, width: int) -> None:
        super().__init__()
        self.keys = torch.nn.Parameter(DEVIATION * torch.randn(num_heads, num_tokens, width))  # (K, P, D)
        self.values = torch.nn.Parameter(DEVIATION * torch.randn(num_heads, num_tokens, width))  # (K, P, D)

    def install(self, module: torch.nn.Module) -> None:
        """Give the prefix to ``module``, in a tuple, so that it is not a part of the module."""
        setattr(module, prefix.ATTRIBUTE, (self,))


class Prefix(Adapted):
    """Trains ``num_tokens`` keys and values for each layer, which all tokens attend to, whatever the pattern.

    In an encoder-decoder these are the layers of the encoder.

    Source: prefix tuning (Li & Liang 2021, arXiv:2101.00190). Deviations: keys and values are trained directly and
    start small, where the authors compute them by a network that is dropped after training; they have no positions, so
    that those of the text stay as they are; encoder-decoders get none in the decoder. It cannot be merged.
    """

    merges = False

    def __init__(self, num_tokens: int, lr_scale: float, train: Sequence[str]) -> None:
        """Take the keys of each layer, the factor on the learning rate, and kinds of other parameters to train."""
        super().__init__("all", train, lr_scale)
        check_options(num_tokens=num_tokens)
        self.num_tokens = num_tokens

    def find(self, model: Any) -> list[Matrix]:
        """Return the self-attentions of the layers; raises UserError if a layer does not use the interface."""
        shapes, count = _shapes(model), len(layers(model))
        if not count or len(shapes) != count:
            raise UserError(
                f"tuning=prefix finds {len(shapes)} attentions of the library's interface in the {count} layers of "
                f"this {type(model).__name__}: use tuning=lora."
            )
        return [Matrix(name, module) for name, module in model.named_modules() if module in shapes]

    def build(self, model: Any, found: Sequence[Matrix]) -> dict[str, torch.nn.Module]:
        """Return keys and values for each attention."""
        shapes = _shapes(model)
        return {one.name: KeysAndValues(shapes[one.module][0], self.num_tokens, shapes[one.module][1]) for one in found}

    def install(self, model: Any) -> None:
        """Freeze the body, and give each layer keys and values.

        Raises:
            UserError: The attention of the strategy has no way for them.
        """
        super().install(model)
        stack = reading_stack(model)
        if not (stack.config._attn_implementation or "").startswith("ctxlab_"):
            AttentionInterface.register(prefix.NAME, prefix.attend)
            AttentionMaskInterface.register(prefix.NAME, sdpa_mask)
            with quiet():
                model.set_attn_implementation(prefix.NAME)
        wanted = {id(one.module) for one, _ in self.adapters(model)}
        why = ""
        with prefix.counting() as used:
            try:
                _run(model)
            except INCOMPATIBLE as error:
                why = f" ({str(error).splitlines()[0]})"
        if set(used) != wanted or why:
            name = installed(model.config, "attention").get("name", "full")
            raise UserError(
                f"tuning=prefix needs an attention with room for trained keys, which strategy/attention={name} has not "
                f"in this {type(model).__name__}{why}: use strategy/attention=full, or tuning=lora."
            )


def _shapes(model: Any) -> dict[torch.nn.Module, tuple[int, int]]:
    """Return the key heads (K) and the head width (D) of each attention in the layers of ``model`` (of its encoder)."""
    inside = {id(module) for layer in layers(model) for module in layer.modules()}
    shapes: dict[torch.nn.Module, tuple[int, int]] = {}
    find = AttentionInterface.get_interface

    def found(interface: Any, name: str, default: Callable[..., Any]) -> Callable[..., Any]:
        function = find(interface, name, default)

        def recorded(module: Any, query: Any, key: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
            if id(module) in inside:
                shapes[module] = key.shape[1], key.shape[3]
            return function(module, query, key, value, *args, **kwargs)

        return recorded

    AttentionInterface.get_interface = found  # type: ignore[method-assign, assignment]
    try:
        _run(model)
    finally:
        AttentionInterface.get_interface = find  # type: ignore[method-assign]
    return shapes


def _run(model: Any) -> None:
    """Run ``model`` on a few tokens."""
    tokens = torch.arange(SAMPLE_TOKENS, device=model.device)[None] % vocabulary_size(model)
    inputs = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
    if "decoder_input_ids" in inspect.signature(model.forward).parameters:
        inputs["decoder_input_ids"] = tokens
    with quiet(), evaluating(model):
        model(**inputs)
