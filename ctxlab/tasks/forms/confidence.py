"""Differentiable scores of answers: log odds, the logarithm of the probability of an answer over that of all others.

Log odds do not saturate as probabilities do, and are not changed by a constant that is added to all logits.

Shape legend: T tokens, C classes.
"""

from collections.abc import Callable

import torch

from ctxlab.tasks.forms.combine import TINY


def log_odds(logits: torch.Tensor, index: int) -> torch.Tensor:
    """Return the log odds of one class of logits (C,), in double precision."""
    exact = logits.double()
    others = torch.arange(len(exact), device=exact.device) != index
    return exact[index] - exact[others].logsumexp(0)


def mean(logits: torch.Tensor, *, several: bool) -> torch.Tensor:
    """Return logits (C,) of ``combine.mean`` over tokens (T, C), up to a constant where classes are exclusive."""
    del several
    return logits.double().mean(0)


def maximum(logits: torch.Tensor, *, several: bool) -> torch.Tensor:
    """Return logits (C,) of ``combine.maximum`` over tokens (T, C), likewise."""
    exact = logits.double()
    return (exact if several else exact.log_softmax(-1)).amax(0)


def attention(logits: torch.Tensor, *, several: bool) -> torch.Tensor:
    """Return logits (C,) of ``combine.attention`` over tokens (T, C), likewise."""
    exact = logits.double()
    if several:
        given = exact.sigmoid()
        entropy = -(given * given.clamp(min=TINY).log() + (1 - given) * (1 - given).clamp(min=TINY).log())
        weights = (1 - entropy / torch.log(exact.new_tensor(2.0))).clamp(min=TINY)
        combined = (weights * given).sum(0) / weights.sum(0)
        return combined.clamp(TINY, 1 - TINY).logit()
    given = exact.softmax(-1)
    entropy = -(given * given.clamp(min=TINY).log()).sum(1, keepdim=True)
    weights = (1 - entropy / torch.log(exact.new_tensor(float(max(given.shape[1], 2))))).clamp(min=TINY)
    return ((weights * given).sum(0) / weights.sum(0)).clamp(min=TINY).log()


RULES: dict[str, Callable[..., torch.Tensor]] = {"mean": mean, "max": maximum, "attention": attention}
"""The differentiable form of each rule of ``forms.combine``."""


def label_score(logits: torch.Tensor, index: int, rule: str, *, several: bool) -> torch.Tensor:
    """Return the log odds of a label of a document.

    Args:
        logits: (T, C) of the tokens that were read.
        index: The label.
        rule: How predictions of windows are combined, a key of ``RULES``.
        several: Whether labels are independent of one another.
    """
    combined = RULES[rule](logits, several=several)
    return combined[index] if several else log_odds(combined, index)
