"""A model that is linear in the embedding of a single token, so that every objective has a closed formula."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch.nn.functional import softplus

from ctxlab.core.task import LABELS, Loss, Predicted
from tests.training.test_objectives import stepped

TOKEN = 3


def seeded(*given: Any) -> Any:
    """``stepped`` with the same memory tokens every time."""
    torch.manual_seed(0)
    return stepped(*given)


@dataclass(frozen=True)
class Run:
    """A forward pass."""

    outputs: torch.Tensor
    labels: torch.Tensor
    cut: bool = True
    rows: tuple = ((0, 0),)


class Linear(torch.nn.Module):
    """The logit w·x + b of a token's embedding x, the passes over it, and the task of its label, -1 or 1."""

    predicts = LABELS

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(5)
        self.table = torch.nn.Embedding(7, 4, dtype=torch.float64)
        self.w, self.b = (torch.randn(n, dtype=torch.float64, generator=generator) for n in ((4,), ()))
        torch.nn.init.normal_(self.table.weight, generator=generator)
        self.config = SimpleNamespace(is_encoder_decoder=False)
        self.passes = 0

    def get_input_embeddings(self):
        return self.table

    def run(self, items):
        for token, label in items:
            self.passes += 1
            yield Run(self.table(torch.tensor([[token]])) @ self.w + self.b, torch.tensor([[float(label)]]))

    def loss(self, outputs, labels):
        return Loss(softplus(-labels * outputs).sum(), torch.ones(()))

    def predicted(self, outputs, labels):
        logits = torch.stack([torch.zeros_like(outputs), outputs], -1).flatten(0, 1)
        return Predicted(logits, (labels.flatten() > 0).long(), torch.ones(1, dtype=torch.float64))

    def margin(self, label: int) -> torch.Tensor:
        return (label * (self.table.weight[TOKEN] @ self.w + self.b)).detach()

    def softplus(self, label: int, epsilon: float = 0.0) -> float:
        """The loss where the margin y(w·x + b) is ε‖w‖ lower, which is the worst that a move of length ε can do."""
        return float(softplus(-self.margin(label) + epsilon * self.w.norm()))

    def losses(self, objective: Any, label: int) -> list[float]:
        """The losses of a step that are learned from, each with its gradient computed as the loop does."""
        objective.start(self)
        found = []
        for term in objective.step(self, [(TOKEN, label)], self):
            if term.loss.weight > 0:
                term.loss.total.backward()
                found.append(term.loss.total.item())
            else:
                assert not term.passed.cut
        return found
