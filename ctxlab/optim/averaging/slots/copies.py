"""Copies of parameters in what a rule has seen, by slot; they are fp32 where the weights have less."""

from collections.abc import Mapping

import torch


def put(seen: dict[str, torch.Tensor], slot: str, weights: Mapping[str, torch.Tensor]) -> None:
    """Copy ``weights`` into a slot, over what it had."""
    for name, tensor in weights.items():
        seen[f"{slot}/{name}"] = tensor.detach().to(at_least_fp32(tensor.dtype), copy=True)


def get(seen: Mapping[str, torch.Tensor], slot: str) -> dict[str, torch.Tensor]:
    """Return the copies in a slot by the names of their parameters; empty where nothing was put."""
    prefix = f"{slot}/"
    return {name.removeprefix(prefix): tensor for name, tensor in seen.items() if name.startswith(prefix)}


def number(seen: Mapping[str, torch.Tensor], name: str) -> float:
    """Return one of the rule's own numbers; 0 where there is none."""
    return float(seen[name]) if name in seen else 0.0


def set_number(seen: dict[str, torch.Tensor], name: str, value: float) -> None:
    """Store one of the rule's own numbers, in double precision."""
    seen[name] = torch.tensor(value, dtype=torch.float64)


def mix(seen: dict[str, torch.Tensor], slot: str, weights: Mapping[str, torch.Tensor], share: float) -> None:
    """Move the copies in a slot towards ``weights``; the first ones are copied.

    Args:
        seen: What the rule has seen; changed in place.
        slot: Name of the slot.
        weights: Parameters by name.
        share: Share of the difference by which the copies move, 0 to 1.
    """
    if not any(name.startswith(f"{slot}/") for name in seen):
        put(seen, slot, weights)
        return
    for name, tensor in weights.items():
        mean = seen[f"{slot}/{name}"]
        mean.lerp_(tensor.detach().to(mean.dtype), share)


def at_least_fp32(dtype: torch.dtype) -> torch.dtype:
    """Return ``dtype``, or fp32 for half precision, in which small changes of a mean would be lost."""
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype
