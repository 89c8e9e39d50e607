"""Elastic weight consolidation: weights that mattered to earlier corpora are held where they were."""

from collections.abc import Mapping

import torch

from ctxlab.continual.remembering.fisher import fisher
from ctxlab.continual.remembering.quadratic import Penalised, Quadratic
from ctxlab.core.continual import Continual, Lesson, Past
from ctxlab.core.errors import UserError
from ctxlab.core.objective import Objective

IMPORTANCE, WEIGHTS = "importance", "weights"
"""First parts of the names of what is saved."""


class EWC(Continual):
    """After every stage the importance of each weight is measured on its documents; later ones pay for moving it.

    Source: Kirkpatrick et al. 2017, arXiv:1612.00796. Deviations: one parabola at the weights of the stage before, with
    the importances of all stages, instead of one for each (Huszár 2018, arXiv:1712.03847). The importance is the
    diagonal of the empirical Fisher information: squared gradients of single documents with their gold labels, no
    labels drawn from the model, and per label, as the loss is. So ``strength=1`` weighs a corpus before like the new
    one, as if both had as many labels; published values of a thousand and more belong to gradients of means over
    batches.

    A checkpoint's worth of disk is needed twice for every stage.
    """

    remembers = True

    def __init__(self, strength: float) -> None:
        """Set the strength.

        Args:
            strength: Weight (λ) of the penalty, above 0.

        Raises:
            UserError: It is not above 0.
        """
        if strength <= 0:
            raise UserError(f"continual.strength={strength} holds nothing: give a number above 0, or continual=naive.")
        self.strength = strength

    def objective(self, given: Objective, past: Past) -> Objective:
        """Return the objective with the penalties of all earlier stages."""
        if not past.remembered:
            return given
        stages = [(_part(one, IMPORTANCE), _part(one, WEIGHTS)) for one in past.remembered]
        return Penalised(given, Quadratic(stages), self.strength)

    def remember(self, lesson: Lesson) -> Mapping[str, torch.Tensor]:
        """Return importance and value of every trainable weight."""
        parameters = {name: one for name, one in lesson.model.named_parameters() if one.requires_grad}
        found = fisher(parameters, lesson.documents, lesson.passes, lesson.task)
        return {f"{IMPORTANCE}.{name}": tensor for name, tensor in found.items()} | {
            f"{WEIGHTS}.{name}": parameter.detach().clone() for name, parameter in parameters.items()
        }


def _part(remembered: Mapping[str, torch.Tensor], part: str) -> dict[str, torch.Tensor]:
    start = f"{part}."
    return {name.removeprefix(start): one for name, one in remembered.items() if name.startswith(start)}
