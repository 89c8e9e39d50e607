"""Adversarial training by a single step against the gradient of the embeddings."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.nn import functional

from ctxlab.core.errors import UserError
from ctxlab.core.objective import Objective, Term
from ctxlab.core.passes import Item, PassRunner
from ctxlab.core.task import Task


class FGM(Objective):
    """Every window twice: as it is, and with the output of the embeddings moved to where the loss grows fastest.

    Source: Miyato et al. 2017, arXiv:1605.07725. Deviations: ε is the length of the move of each token, not of the
    whole window, for which a length of 1 would leave 1/√W to each of W tokens; the embeddings are not normalised; the
    loss is the mean of both, so that the learning rate keeps its meaning. Both passes draw the same dropout.

    A step costs two forward and two backward passes.
    """

    fixed_passes = True

    def __init__(self, epsilon: float) -> None:
        """Set the length of the move.

        Args:
            epsilon: Length (Euclidean) by which each token's embedding is moved, above 0.

        Raises:
            UserError: It is not above 0.
        """
        if epsilon <= 0:
            raise UserError(f"objective.epsilon={epsilon} moves nothing: give a length above 0, such as 0.1.")
        self.epsilon = epsilon
        self._outputs: list[torch.Tensor] = []
        self._moves: list[torch.Tensor] | None = None

    def start(self, model: Any) -> None:
        """Watch the model's embeddings, whatever their table is called."""
        self._outputs, self._moves = [], None
        model.get_input_embeddings().register_forward_hook(self._watch)

    def step(self, passes: PassRunner, items: Sequence[Item], task: Task) -> Iterator[Term]:
        """Yield the task's loss of every pass, then that of the same passes with moved embeddings."""
        draws = _draws()
        moves: list[torch.Tensor] = []
        self._outputs, self._moves = [], None
        for passed in passes.run(items):
            yield Term(task.loss(passed.outputs, passed.labels), passed)
            if passed.cut:  # the gradient has been computed
                moves += map(self._move, self._outputs)
                self._outputs = []
        self._moves = moves
        _draw_again(draws)
        for passed in passes.run(items):
            yield Term(task.loss(passed.outputs, passed.labels), passed)
        self._moves = None

    def _watch(self, _module: Any, _given: Any, output: torch.Tensor) -> torch.Tensor | None:
        """Move the output of the embeddings in the second passes; in the first, keep it for its gradient."""
        if not torch.is_grad_enabled():
            return None
        if self._moves is not None:
            return output + self._moves.pop(0)
        if not output.requires_grad:  # embeddings that are not trained
            output = output.detach().requires_grad_()
        output.retain_grad()
        self._outputs.append(output)
        return output

    def _move(self, output: torch.Tensor) -> torch.Tensor:
        """Return the move of each token (B, W, D); none where the loss does not depend on it."""
        if output.grad is None:
            return torch.zeros_like(output)
        return self.epsilon * functional.normalize(output.grad, dim=-1)


def _draws() -> list[torch.Tensor]:
    """Return the states of the generators that dropout draws from."""
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [])]


def _draw_again(states: list[torch.Tensor]) -> None:
    torch.set_rng_state(states[0])
    if states[1:]:
        torch.cuda.set_rng_state_all(states[1:])
