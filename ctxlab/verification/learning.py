"""Checks that the trainable modules of a strategy receive a gradient."""

import torch

from ctxlab.core.model import ADDED_MODULES, TASK_MODULE
from ctxlab.runtime.forward import Passes, model_call
from ctxlab.verification.check import Check
from ctxlab.verification.subject import Subject


def check_learning(subject: Subject) -> Check:
    """Check that the trainable modules of every part receive a finite gradient that is not zero.

    For a memory, outputs of the first window are left out where its gradient flows further: the initial memory would
    get a gradient from that window even if nothing were carried to the next.
    """
    name, proves = "learning", "The trainable modules of the strategy receive a finite gradient that is not zero."
    parts = {
        family: module for family, module in getattr(subject.model, ADDED_MODULES, {}).items() if family != TASK_MODULE
    }
    if not parts:
        return Check(name, proves, None, "No part of the strategy has trainable modules.")
    subject.model.zero_grad()
    _backward(subject)
    norms = {family: _norm(module) for family, module in parts.items()}
    subject.model.zero_grad()
    silent = [family for family, norm in norms.items() if not 0 < norm < float("inf")]
    found = ", ".join(f"{family} {norm:.1e}" for family, norm in norms.items())
    if silent:
        return Check(name, proves, False, f"No usable gradient reaches {', '.join(silent)} ({found}).")
    return Check(name, proves, True, f"Norm of the gradient: {found}.")


def _backward(subject: Subject) -> None:
    """Run the backward pass from the outputs of the first windows, as far as the gradient flows."""
    memory = subject.strategy.memory
    items = subject.items(subject.document(subject.length))
    passes = Passes(subject.strategy, model_call(subject.model), subject.pad_id, subject.device)
    total = torch.zeros((), dtype=torch.float64, device=subject.device)
    skip = memory.sequential and memory.gradient_windows > 1 and len(items[0].windows) > 1
    for step, passed in enumerate(passes.run(items)):
        if step or not skip:
            total = total + passed.outputs.double().square().sum()
        penalty = subject.strategy.attention.penalty(subject.model)
        total = total if penalty is None else total + penalty
        if passed.cut:
            break
    total.backward()


def _norm(module: torch.nn.Module) -> float:
    gradients = [p.grad.double().square().sum() for p in module.parameters() if p.grad is not None]
    return float(torch.stack(gradients).sum().sqrt()) if gradients else 0.0
