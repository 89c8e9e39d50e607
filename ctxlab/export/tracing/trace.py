"""Tracing a model with its strategy to one graph for windows of every length.

Shape legend: B windows, W tokens of a window.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config

from ctxlab.core.errors import UserError

INPUTS = ("input_ids", "attention_mask")
"""Names of the inputs of an exported model, int64 (B, W)."""

OUTPUT = "logits"

EXAMPLE = (2, 300)
"""Windows and tokens of the example, of which nothing remains in the graph; fewer tokens where windows are shorter."""

UNWANTED = (
    "stack_trace", "nn_module_stack", "source_fn_stack", "fwd_source_fn_stack", "torch_fn", "from_node", "custom",
)  # fmt: skip
"""Entries of a node that say in which file of which machine it was made."""


class _Logits(torch.nn.Module):
    """A model that returns its logits alone."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return found


def trace(model: Any, longest: int, vocabulary: int) -> ExportedProgram:
    """Return the graph of a model that is in its exportable form (``Attention.exporting``).

    Args:
        model: In evaluation mode, fp32, on the CPU.
        longest: Tokens of the longest window.
        vocabulary: Number of token ids.

    Raises:
        UserError: A step of the model depends on the content of its tensors.
    """
    rows, tokens = EXAMPLE[0], min(EXAMPLE[1], longest)
    ids = torch.arange(rows * tokens).view(rows, tokens) % vocabulary
    shown = torch.ones_like(ids)
    shown[1, tokens * 2 // 3 :] = 0  # a mask without padding might be left out
    sizes = {0: Dim("batch"), 1: Dim("length", max=longest)}
    given = dict(zip(INPUTS, (ids, shown), strict=True))
    try:
        with torch.no_grad(), quietly(), _config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
            # Otherwise every size that is above 1 in the example would be fixed to be so.
            program = torch.export.export(
                _Logits(model), (), given, dynamic_shapes=dict.fromkeys(INPUTS, sizes), strict=False
            )
    except Exception as error:  # torch raises a dozen kinds
        raise UserError(
            f"model type `{model.config.model_type}` cannot be exported with this strategy ({_line(error)}); BERT-like "
            "encoders with strategy=chunk or strategy=longformer can."
        ) from error
    return _bare(program)


def _bare(program: ExportedProgram) -> ExportedProgram:
    """Remove the example inputs and where nodes were made."""
    program._example_inputs = None
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            module.meta.clear()
            for node in module.graph.nodes:
                for name in UNWANTED:
                    node.meta.pop(name, None)
    return program


@contextmanager
def quietly() -> Iterator[None]:
    """Silence warnings of the libraries about themselves."""
    loggers = [logging.getLogger(name) for name in (None, "torch.onnx", "torch.export", "torch")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _line(error: Exception) -> str:
    """Return the first line of a message, shortened."""
    text = (str(error).splitlines() or [type(error).__name__])[0].strip().rstrip(".")
    return text if len(text) <= 160 else f"{text[:157]}…"
