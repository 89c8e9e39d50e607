"""Rotary positions with a base that depends on the window's length."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ctxlab.strategies.positions.tables.rotary import Angles, Rope, Rotary, prefix


class DynamicNtk(Rotary):
    """Leaves windows within the trained length unchanged, and raises the rotary base for longer ones as needed.

    Source: dynamic NTK (emozilla 2023, a public note, after bloc97): base · (s·L / T - (s - 1))^(D / (D - 2)) for L
    tokens, T trained tokens and the factor s; with s = 1 it is the dynamic NTK of Peng et al. 2023 (arXiv:2309.00071).
    L is the longest window of a batch, so that outputs of long windows depend on the other windows of the batch.
    Deviation from the library: it keeps the base of the longest window so far until a short one comes; here the base
    is computed for every batch.
    """

    by_batch = True
    grows = False
    enlarges = False  # the library reads the trained length from it: enlarging it would disable the method

    def parameters(self, rope: Rope) -> dict[str, Any]:
        """Return the parameters of the library's type ``dynamic``."""
        return {"rope_type": "dynamic", "factor": rope.factor}

    def angles(self, rope: Rope, length: int) -> Angles:
        """Divide frequency i by scale^(2i / (D - 2))."""
        scale = rope.factor * max(length, rope.trained) / rope.trained - (rope.factor - 1)
        return Angles(rope.inv_freq() / scale ** rope.spread())

    def attach(self, module: Any, layer_type: str) -> None:
        """Add a hook that resets the rotary module before every call."""
        reset = ResetFrequencies(layer_type)
        if reset not in module._forward_pre_hooks.values():
            module.register_forward_pre_hook(reset, with_kwargs=True)

    def _choose(self, trained: int, length: int, note: Mapping[str, Any]) -> float:
        """Return the factor; as any factor works at any length, a checkpoint keeps the one it was trained with."""
        before: float | None = note.get("factor") if note.get("name") == self.name else None
        return self.factor or before or length / trained


@dataclass(frozen=True, slots=True)
class ResetFrequencies:
    """A forward pre-hook that resets a rotary module to the trained frequencies at every call."""

    layer_type: str
    """Only calls for this type of layer are affected; empty for all layers."""

    def __call__(self, module: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Restore the trained frequencies."""
        if self.layer_type and self.layer_type not in (*args[2:], kwargs.get("layer_type")):
            return
        name = f"{prefix(self.layer_type)}inv_freq"
        trained = getattr(module, f"{prefix(self.layer_type)}original_inv_freq")
        setattr(module, name, trained.to(getattr(module, name).device))
        setattr(module, f"{prefix(self.layer_type)}max_seq_len_cached", module.original_max_seq_len)
