"""Rotary positions on a base that rises with the window."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ctxlab.strategies.positions.tables.rotary import Angles, Rope, Rotary, prefix


class DynamicNtk(Rotary):
    """Windows within the trained length stay as trained; longer ones raise the base as far as they need.

    Source: dynamic NTK (emozilla 2023, a public note, after bloc97): base · (s·L / T - (s - 1))^(D / (D - 2)) for L
    tokens, T trained ones and the factor s; with s = 1 it is the dynamic NTK of Peng et al. 2023 (arXiv:2309.00071).
    L is the longest window of a batch, so that outputs of long windows depend on what they are batched with.
    Deviation from the library: it keeps the base of the longest window seen until a short one comes; here every batch
    gets its own.
    """

    by_batch = True
    grows = False
    enlarges = False  # the library takes it for the trained length: enlarging it would switch the method off

    def parameters(self, rope: Rope) -> dict[str, Any]:
        """The library's dynamic type."""
        return {"rope_type": "dynamic", "factor": rope.factor}

    def angles(self, rope: Rope, length: int) -> Angles:
        """Frequency i over stretch^(2i / (D - 2))."""
        stretch = rope.factor * max(length, rope.trained) / rope.trained - (rope.factor - 1)
        return Angles(rope.inv_freq() / stretch ** rope.spread())

    def attach(self, module: Any, layer_type: str) -> None:
        """Make the module forget the last window before it sees the next."""
        forget = Forget(layer_type)
        if forget not in module._forward_pre_hooks.values():
            module.register_forward_pre_hook(forget, with_kwargs=True)

    def _choose(self, trained: int, length: int, note: Mapping[str, Any]) -> float:
        """Any factor reaches any length, so a checkpoint keeps the one that it was trained with."""
        before: float | None = note.get("factor") if note.get("name") == self.name else None
        return self.factor or before or length / trained


@dataclass(frozen=True, slots=True)
class Forget:
    """A hook: the rotary module starts from the trained frequencies at every call."""

    layer_type: str
    """Calls for another type of layer are left alone; the empty name stands for all layers."""

    def __call__(self, module: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Undo what the last window left behind."""
        if self.layer_type and self.layer_type not in (*args[2:], kwargs.get("layer_type")):
            return
        name = f"{prefix(self.layer_type)}inv_freq"
        trained = getattr(module, f"{prefix(self.layer_type)}original_inv_freq")
        setattr(module, name, trained.to(getattr(module, name).device))
        setattr(module, f"{prefix(self.layer_type)}max_seq_len_cached", module.original_max_seq_len)
