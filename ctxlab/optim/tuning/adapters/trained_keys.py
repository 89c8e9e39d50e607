"""The self-attentions of a model that trained keys and values are given to, for rules that need them.

Shape legend: K key heads, D head width.
"""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

from ctxlab.core import prefix
from ctxlab.core.architecture import INCOMPATIBLE, installed, layers, reading_stack, vocabulary_size
from ctxlab.core.errors import UserError
from ctxlab.core.quiet import evaluating, quiet

SAMPLE_TOKENS = 8


def self_attentions(model: Any, rule: str) -> dict[torch.nn.Module, tuple[int, int]]:
    """Return the key heads (K) and the head width (D) of each attention in the layers of ``model`` (of its encoder).

    Raises:
        UserError: A layer does not use the library's interface.
    """
    shapes, count = _shapes(model), len(layers(model))
    if not count or len(shapes) != count:
        raise UserError(
            f"tuning={rule} finds {len(shapes)} attentions of the library's interface in the {count} layers of "
            f"this {type(model).__name__}: use tuning=lora."
        )
    return shapes


def use_trained_keys(model: Any, rule: str) -> None:
    """Make every attention of ``model`` that was given keys and values (``prefix.ATTRIBUTE``) use them.

    Raises:
        UserError: The attention of the strategy has no way for them.
    """
    stack = reading_stack(model)
    if not (stack.config._attn_implementation or "").startswith("ctxlab_"):
        AttentionInterface.register(prefix.NAME, prefix.attend)
        AttentionMaskInterface.register(prefix.NAME, sdpa_mask)
        with quiet():
            model.set_attn_implementation(prefix.NAME)
    wanted = {id(module) for module in model.modules() if hasattr(module, prefix.ATTRIBUTE)}
    why = ""
    with prefix.counting() as used:
        try:
            _run(model)
        except INCOMPATIBLE as error:
            why = f" ({str(error).splitlines()[0]})"
    if set(used) != wanted or why:
        name = installed(model.config, "attention").get("name", "full")
        raise UserError(
            f"tuning={rule} needs an attention with room for trained keys, which strategy/attention={name} has not "
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
