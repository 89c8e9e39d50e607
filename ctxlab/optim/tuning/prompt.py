"""Prompt tuning: trained tokens before the text, which all its tokens see.

Shape legend: P trained tokens, E width of the token embeddings.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import torch

from ctxlab.core import prefix
from ctxlab.core.architecture import has_encoder_and_decoder, learned_tables, position_limit
from ctxlab.core.errors import UserError
from ctxlab.core.matrices import Matrix
from ctxlab.optim.tuning.adapters.adapted import Adapted, Adapter, check_options
from ctxlab.optim.tuning.adapters.trained_keys import self_attentions, use_trained_keys


class SoftPrompt(Adapter):
    """The embeddings of the trained tokens, which pass through the layers before each text does."""

    changed = ()

    def __init__(self, rows: torch.Tensor) -> None:
        super().__init__()
        self.tokens = torch.nn.Parameter(rows)  # (P, E)

    def install(self, module: torch.nn.Module) -> None:
        """Do nothing: ``watch`` is told the layers, and ``module`` has the embeddings alone."""
        del module

    def watch(self, stack: torch.nn.Module, attentions: Sequence[torch.nn.Module]) -> None:
        """Pass the tokens through ``stack`` before each of its passes; ``attentions`` keep keys and values."""
        for attention in attentions:
            setattr(attention, prefix.ATTRIBUTE, (prefix.Taken(),))
        stack.register_forward_pre_hook(self.before, with_kwargs=True)

    def before(self, stack: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Compute keys and values of the tokens, unless a text is continued with a cache, which has begun with them."""
        del args
        if prefix.is_taking() or prefix.is_ignored():
            return
        cache = kwargs.get("past_key_values")
        if cache is not None and not torch.is_grad_enabled() and cache.get_seq_length() > 0:
            return
        inputs: dict[str, Any] = {"inputs_embeds": self.tokens[None]}
        inputs["attention_mask"] = torch.ones(inputs["inputs_embeds"].shape[:2], device=self.tokens.device).long()
        if "use_cache" in inspect.signature(stack.forward).parameters:
            inputs["use_cache"] = False
        training = stack.training
        stack.eval()  # without dropout, and without recomputing, which would happen outside of this context
        try:
            with prefix.taking():
                stack(**inputs)
        finally:
            stack.train(training)


class Prompt(Adapted):
    """Trains the embeddings of ``num_tokens`` tokens that come before every window and are seen by all of its tokens.

    Source: prompt tuning (Lester et al. 2021, arXiv:2104.08691). The tokens pass through the layers by themselves, and
    each attention puts their keys and values before those of the text, whatever the pattern of the strategy. In a
    decoder this is what the paper does, as tokens that come first see none of the text. Deviations: in an encoder they
    do not see the text either, so that nothing passes through them from one token of the text to another, and the
    strategy's reach is as declared; the text keeps its own positions, which overlap with those of the tokens; the
    decoder of an encoder-decoder does not see them; no dropout acts on them. They begin as rows of the token
    embeddings. It cannot be merged.
    """

    merges = False

    def __init__(self, num_tokens: int, lr_scale: float, train: Sequence[str]) -> None:
        """Take the number of tokens, the factor on the learning rate, and kinds of other parameters to train."""
        super().__init__("all", train, lr_scale)
        check_options(num_tokens=num_tokens)
        self.num_tokens = num_tokens

    def find(self, model: Any) -> list[Matrix]:
        """Return the token embeddings.

        Raises:
            UserError: The model has fewer positions than there are tokens.
        """
        limit = position_limit(model.config) if learned_tables(model) else None
        if limit is not None and self.num_tokens > limit:
            raise UserError(
                f"tuning.num_tokens={self.num_tokens} is above the {limit:,} positions of this "
                f"{type(model).__name__}: use {limit} or fewer."
            )
        table = _stack(model).get_input_embeddings()
        return [Matrix(name, module) for name, module in model.named_modules() if module is table]

    def build(self, model: Any, found: Sequence[Matrix]) -> dict[str, torch.nn.Module]:
        """Return the tokens, as random rows of the embeddings."""
        del model
        weight = found[0].module.weight.detach()  # (vocabulary, E)
        return {found[0].name: SoftPrompt(weight[torch.randint(len(weight), (self.num_tokens,))].clone())}

    def install(self, model: Any) -> None:
        """Freeze the body, and let the tokens pass through its layers.

        Raises:
            UserError: The attention of the strategy has no way for them, or the layers take no embeddings.
        """
        attentions = list(self_attentions(model, "prompt"))
        super().install(model)
        ((_, tokens),) = self.adapters(model)
        tokens.watch(_stack(model), attentions)
        use_trained_keys(model, "prompt")


def _stack(model: Any) -> Any:
    """Return the module that reads: the encoder of an encoder-decoder, else the body without its head."""
    return model.get_encoder() if has_encoder_and_decoder(model.config) else model.base_model
