"""Full attention: every token attends to every token."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from transformers import PreTrainedModel

from ctxlab.core.architecture import note_installed
from ctxlab.core.strategy import ModelKind
from ctxlab.strategies.attention.kernels.base import BaseAttention


class Full(BaseAttention):
    """Uses the library's own attention: SDPA where the model supports it, else the model's implementation.

    Cost and, outside the fast kernels, memory grow with the square of the window's length.
    """

    caches = True
    shifts = True
    unexportable = None
    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder", "encoder_decoder"})

    def exporting(self, longest: int) -> AbstractContextManager[None]:
        """Change nothing: the library's attention can be exported as it is."""
        return nullcontext()

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Declare all pairs."""
        del length
        return torch.ones(torch.broadcast_shapes(query.shape, key.shape), dtype=torch.bool, device=query.device)

    def pairs(self, length: int) -> int:
        """Return the square of the length."""
        return length * length

    def install(self, model: Any) -> None:
        """Set SDPA; a model without it keeps its own implementation, which is full attention as well."""
        stacks = [module for module in model.modules() if isinstance(module, PreTrainedModel)]
        if all(stack._supports_sdpa for stack in stacks):
            # Each stack by itself: some versions (5.17) leave those alone that have another than the whole model.
            for stack in stacks:
                if stack.config._attn_implementation != "sdpa":
                    stack.set_attn_implementation("sdpa")
        note_installed(model.config, "attention", {"name": "full"})
