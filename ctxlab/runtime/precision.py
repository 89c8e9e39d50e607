"""Heads whose outputs are ranked, computed in fp32 whatever the precision of the rest.

In bf16 a score has eight significant bits: of 300 candidates, 270 were tied.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ctxlab.core.added_modules import attached
from ctxlab.core.model import ADDED_MODULES, TASK_MODULE
from ctxlab.models.loading.joined import Heads

VOCABULARIES = frozenset({"causal_lm", "masked_lm", "seq2seq_lm"})
"""Heads with an output for every token of a vocabulary, which are too large to compute in fp32 by default."""


class _Exact:
    """Hooks of a module: no autocast while it runs, and inputs in fp32."""

    def __init__(self) -> None:
        self._running: list[Any] = []

    def begin(self, module: torch.nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Run before the module's forward pass."""
        del module
        if torch.compiler.is_exporting():  # in fp32, and a graph has no autocast
            return args
        given = tuple(value.float() if _is_coarse(value) else value for value in args)
        device = next((value.device.type for value in given if isinstance(value, torch.Tensor)), "cpu")
        self._running.append(torch.autocast(device, enabled=False))
        self._running[-1].__enter__()
        return given

    def end(self, module: torch.nn.Module, args: Any, output: Any) -> None:
        """Run after the forward pass, even if it failed."""
        del module, args, output
        if torch.compiler.is_exporting():
            return
        self._running.pop().__exit__(None, None, None)

    def install(self, module: torch.nn.Module) -> list[Any]:
        """Install the hooks in a module; returns the handles that remove them."""
        return [module.register_forward_pre_hook(self.begin), module.register_forward_hook(self.end, always_call=True)]


def _is_coarse(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dtype in (torch.bfloat16, torch.float16)


@contextmanager
def exact(module: torch.nn.Module) -> Iterator[None]:
    """Run ``module`` in fp32 until the end of the block, even under autocast; its weights must be fp32."""
    handles = _Exact().install(module)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def make_head_exact(model: Any, head: str) -> None:
    """Run everything between the body of ``model`` and its outputs in fp32, unless these are a vocabulary.

    Labels, candidates, spans and marks are ranked by these outputs. Call it once, after the model is built.
    """
    if head in VOCABULARIES:
        return
    joined = attached(model, TASK_MODULE)
    others = joined.parts() if isinstance(joined, Heads) else []
    own = [part for name, part in model.named_children() if part is not model.base_model and name != ADDED_MODULES]
    for module in (*own, *others):
        _Exact().install(module)
