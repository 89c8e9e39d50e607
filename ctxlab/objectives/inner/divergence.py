"""Differences of predicted distributions, in nats.

Shape legend: N predictions, C alternatives.
"""

import torch


def symmetric(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return (N,) KL(p‖q) + KL(q‖p) of two logits (N, C)."""
    a, b = one.log_softmax(-1), other.log_softmax(-1)
    return ((a.exp() - b.exp()) * (a - b)).sum(-1)


def from_teacher(taught: torch.Tensor, own: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return (N,) T² · KL(p‖q) of the softmax of logits (N, C) over T; gradients reach ``own`` only.

    The factor T² keeps the size of the gradient about the same at every temperature.
    """
    p, q = (taught.detach() / temperature).log_softmax(-1), (own / temperature).log_softmax(-1)
    return temperature**2 * (p.exp() * (p - q)).sum(-1)
