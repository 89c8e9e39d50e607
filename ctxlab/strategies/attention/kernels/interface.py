"""Installs a pattern in a model by the library's attention and mask interfaces, and checks that it takes effect.

Some models accept the name of an attention function and never call it. Therefore a forward pass of a few tokens counts
the calls of both functions.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface

from ctxlab.core.architecture import INCOMPATIBLE, note_installed, num_layers, reading_stack, sample_inputs
from ctxlab.core.errors import UserError
from ctxlab.core.quiet import evaluating, quiet
from ctxlab.strategies.attention.kernels.relative import compact_relative_bias

AttentionFunction = Callable[..., tuple[torch.Tensor, None]]
"""Maps (module, query, key, value, mask, ...) to ((B, L, H, D), None)."""
MaskFunction = Callable[..., Any]


def install(
    model: Any,
    name: str,
    attention: AttentionFunction,
    mask: MaskFunction,
    declared: dict[str, Any] | None = None,
    *,
    takes_tensors: bool = False,
) -> None:
    """Make every self-attention of ``model`` call ``attention`` with the result of ``mask``, and check that it does.

    In an encoder-decoder only the encoder is changed; the decoder's self-attention and cross-attention are not.

    Args:
        model: A model of Transformers; unchanged where the pattern cannot be installed.
        name: Unique name of this pattern with these parameters.
        attention: Follows the library's ``AttentionInterface``.
        mask: Follows the library's ``AttentionMaskInterface``; without it a causal model would attend to later tokens.
        declared: What is recorded in the config, under ``ctxlab.attention``.
        takes_tensors: Whether ``attention`` also takes a mask of padding (B, 1, 1, L) that a model makes itself.

    Raises:
        UserError: The model's layers do not call the interface.
    """
    stack = reading_stack(model)
    before, config = stack.config._attn_implementation, stack.config
    if stack is not model and config is model.config:
        # In many models encoder and decoder share one config object: a name set in one would be set in both.
        _give_config(stack, copy.deepcopy(config))
    compact_relative_bias(stack)
    AttentionInterface.register(name, attention)
    AttentionMaskInterface.register(name, mask)
    try:
        with quiet():
            stack.set_attn_implementation(name)
        calls, masks = _count_calls(model, name, attention, mask, takes_tensors=takes_tensors)
    except INCOMPATIBLE as error:
        _restore(stack, before, config)
        raise _incompatible(model, name, str(error).split("\n")[0]) from error
    wanted = num_layers(stack)
    if calls != wanted or not masks:
        _restore(stack, before, config)
        raise _incompatible(model, name, f"{calls} of its {wanted} layers called it, and {masks} masks were built")
    note_installed(model.config, "attention", declared or {"name": name})


def refuse_unknown(kwargs: Mapping[str, Any]) -> None:
    """Raise NotImplementedError for arguments that change the scores but are not supported."""
    for name in ("position_bias", "softcap", "s_aux"):
        if kwargs.get(name) is not None:
            raise NotImplementedError(f"the model passes `{name}`, which blocked attention does not compute")


def called_causally(module: torch.nn.Module, is_causal: bool | None) -> bool:
    """Return whether a call of the attention interface is causal: as it says, else as its module does."""
    return bool(getattr(module, "is_causal", True) if is_causal is None else is_causal)


def _incompatible(model: Any, name: str, why: str) -> UserError:
    return UserError(
        f"attention `{name}` would not take effect on model type `{model.config.model_type}` ({why}); "
        "use strategy/attention=full or strategy=truncate, or a model such as BERT, ModernBERT, T5 or BART."
    )


def _give_config(stack: Any, config: Any) -> None:
    """Replace the config of ``stack`` in all of its modules that share it."""
    present = stack.config
    for module in stack.modules():
        if getattr(module, "config", None) is present:
            module.config = config


def _restore(stack: Any, name: str | None, config: Any) -> None:
    with quiet():
        stack.set_attn_implementation(name or "eager")
    _give_config(stack, config)


def _count_calls(
    model: Any, name: str, attention: AttentionFunction, mask: MaskFunction, *, takes_tensors: bool
) -> tuple[int, int]:
    """Count the calls of the attention function and of the mask function in one forward pass.

    Args:
        model: The model, which has the pattern set.
        name: Name of the pattern.
        attention: Its attention function.
        mask: Its mask function.
        takes_tensors: Whether a mask of padding that the model made itself counts as one of the mask function.
    """
    calls = {"attention": 0, "mask": 0}

    def counted_attention(*args: Any, **kwargs: Any) -> tuple[torch.Tensor, None]:
        calls["attention"] += 1
        given = args[4] if len(args) > 4 else kwargs.get("attention_mask")
        calls["mask"] += takes_tensors and isinstance(given, torch.Tensor) and given.shape[2] == 1
        return attention(*args, **kwargs)

    def counted_mask(*args: Any, **kwargs: Any) -> Any:
        calls["mask"] += 1
        return mask(*args, **kwargs)

    AttentionInterface.register(name, counted_attention)
    AttentionMaskInterface.register(name, counted_mask)
    try:
        with evaluating(model):
            model(**sample_inputs(model))
    finally:
        AttentionInterface.register(name, attention)
        AttentionMaskInterface.register(name, mask)
    return calls["attention"], calls["mask"]
