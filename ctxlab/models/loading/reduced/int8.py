"""Projections with weights of 8 bits, for inference on a CPU.

Shape legend: B windows, W tokens, I inputs, O outputs.
"""

from typing import Any

import torch
from torch.nn.functional import linear

from ctxlab.core.architecture import decoder_layers, layers
from ctxlab.core.projections import is_projection, num_inputs, num_outputs

LARGEST = 127
"""Largest value of a weight."""

LARGEST_INPUT = 63
"""Largest value of an input: 7 bits, so that no CPU's sums of two products of 8 bits overflow 16 bits."""

SMALLEST_SCALE = 1e-12
"""Scale of a token whose inputs are all 0."""


class Int8Linear(torch.nn.Module):
    """A projection whose weight is whole numbers, with a scale for each output.

    Source: dynamic quantization of weights by output and of activations by token (ZeroQuant, Yao et al. 2022,
    arXiv:2206.01861), symmetric, without calibration. Deviation: inputs have 7 bits. Torch's own dynamic quantization
    has one scale for the whole input, which lets every token of a batch influence all others.
    """

    weight_int8: torch.Tensor
    """(O, I)"""
    scale: torch.Tensor
    """(O,)"""
    bias: torch.nn.Parameter | None

    def __init__(self, num_inputs: int, num_outputs: int, *, bias: bool) -> None:
        """Make an empty projection, whose values are loaded."""
        super().__init__()
        self.register_buffer("weight_int8", torch.zeros(num_outputs, num_inputs, dtype=torch.int8))
        self.register_buffer("scale", torch.zeros(num_outputs))
        self.register_parameter("bias", torch.nn.Parameter(torch.zeros(num_outputs)) if bias else None)
        self._packed: tuple[torch.Tensor, torch.Tensor] | None = None

    @classmethod
    @torch.no_grad()
    def of(cls, projection: Any) -> "Int8Linear":
        """Return ``projection`` with its weight rounded to the nearest of 255 values."""
        made = cls.like(projection)
        weight = projection.weight if isinstance(projection, torch.nn.Linear) else projection.weight.T
        scale = (weight.abs().amax(dim=1) / LARGEST).clamp_min(SMALLEST_SCALE)
        made.weight_int8.copy_(torch.round(weight / scale[:, None]))
        made.scale.copy_(scale)
        if made.bias is not None:
            made.bias.copy_(projection.bias)
        return made

    @classmethod
    def like(cls, projection: Any) -> "Int8Linear":
        """Return an empty one of the size of ``projection``."""
        return cls(num_inputs(projection), num_outputs(projection), bias=projection.bias is not None)

    @property
    def weight(self) -> torch.Tensor:
        """Return (O, I) whole numbers; some models look at the type of a projection's weight."""
        return self.weight_int8

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return (B, W, O), in the precision of ``inputs`` (B, W, I)."""
        exact = inputs if inputs.dtype == torch.float64 else inputs.float()
        scale = (exact.abs().amax(dim=-1, keepdim=True) / LARGEST_INPUT).clamp_min(SMALLEST_SCALE)  # (B, W, 1)
        with torch.autocast(inputs.device.type, enabled=False):
            found = self._product(torch.round(exact / scale)) * scale
        return (found if self.bias is None else found + self.bias).to(inputs.dtype)

    def _product(self, levels: torch.Tensor) -> torch.Tensor:
        """Return whole numbers (B, W, I) times the weight: sums of whole numbers, so that every kernel has the same."""
        if levels.device.type != "cpu" or self.scale.dtype != torch.float32 or not has_kernel():
            return linear(levels, self.weight_int8.to(levels.dtype)) * self.scale
        if self._packed is None or self._packed[0] is not self.weight_int8:
            self._packed = self.weight_int8, torch.ops.onednn.qlinear_prepack(self.weight_int8, None)
        flat = (levels + (LARGEST_INPUT + 1)).to(torch.uint8).flatten(0, -2)
        zeros = torch.zeros(len(self.scale), dtype=torch.int32)
        found: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
            flat, 1.0, LARGEST_INPUT + 1, self._packed[1], self.scale, zeros, None, 1.0, 0, torch.float32, "none", [],
            "",
        )  # fmt: skip
        return found.reshape(*levels.shape[:-1], len(self.scale))


def has_kernel() -> bool:
    """Return whether torch was built with products of whole numbers for this CPU."""
    return bool(torch.backends.mkldnn.is_available()) and hasattr(torch.ops.onednn, "qlinear_pointwise")


def quantize(model: Any, *, empty: bool = False) -> int:
    """Replace every projection inside the layers of ``model``; returns how many.

    Args:
        model: The model; embeddings and head stay as they are.
        empty: Whether the values are to be loaded afterwards.
    """
    made: dict[int, tuple[torch.Tensor, Int8Linear]] = {}
    count = 0
    for layer in (*layers(model), *decoder_layers(model)):
        for parent in list(layer.modules()):
            for name, child in list(parent.named_children()):
                if is_projection(child):
                    new = Int8Linear.like(child) if empty else _quantized(child, made)
                    setattr(parent, name, new.train(child.training))
                    count += 1
    return count


def _quantized(projection: Any, made: dict[int, tuple[torch.Tensor, Int8Linear]]) -> Int8Linear:
    """Return ``projection`` quantized; layers that share a weight share the result."""
    known = made.get(id(projection.weight))
    if known is None:
        made[id(projection.weight)] = projection.weight, Int8Linear.of(projection)  # a freed weight's id may be reused
        return made[id(projection.weight)][1]
    new = Int8Linear.like(projection)
    new._buffers.update(known[1]._buffers)
    new._parameters.update(known[1]._parameters)
    return new
