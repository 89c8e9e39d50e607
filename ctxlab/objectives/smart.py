"""Smoothness: predictions should not change when embeddings are moved a little."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from ctxlab.core.objective import Objective, Term
from ctxlab.core.passes import Item, Passed, PassRunner
from ctxlab.core.task import LABEL_SETS, LABELS, POSITIONS, TOKENS, Loss, Task
from ctxlab.objectives.inner.divergence import symmetric
from ctxlab.objectives.inner.draws import draw_again, draws
from ctxlab.objectives.inner.limits import above_zero, at_least
from ctxlab.objectives.inner.moving import Embeddings, ascended, at_random, counted


class SMART(Objective):
    """The task's loss, and how far predictions differ at the move of the embeddings that changes them most.

    Source: Jiang et al. 2020, arXiv:1911.03437, section 3.1: the sum of both Kullback-Leibler divergences. Unlike
    ``pgd`` the move is against the model's own predictions, not against the labels. Deviations: without the Bregman
    proximal steps of section 3.2; lengths are Euclidean and of each token; the first move is uniform, not normal, where
    the gradient would vanish without one. All passes draw the same dropout.

    A step costs one forward pass without gradient, ``steps`` + 2 forward and backward passes, and the memory of two.
    """

    serves = frozenset({LABELS, LABEL_SETS, POSITIONS, TOKENS})

    def __init__(self, weight: float, epsilon: float, steps: int, step_size: float, begin: float) -> None:
        """Set the weight of the smoothness, and the ball in which it is searched.

        Args:
            weight: Weight of the divergence, above 0.
            epsilon: Longest move (Euclidean) of each token's embedding, above 0.
            steps: Steps of ascent, at least 1.
            step_size: Length of a step, above 0.
            begin: Longest first move, which is random, above 0.

        Raises:
            UserError: One of them is out of range.
        """
        above_zero("has no effect", "1.0", weight=weight)
        above_zero("moves nothing", "0.1", epsilon=epsilon, step_size=step_size)
        above_zero("leaves the gradient of the divergence at 0", "0.001", begin=begin)
        at_least(1, "1", steps=steps)
        self.weight, self.epsilon, self.steps, self.step_size, self.first = weight, epsilon, steps, step_size, begin
        self._embeddings = Embeddings()

    def start(self, model: Any) -> None:
        """Watch the model's embeddings, whatever their table is called."""
        self._embeddings.watch(model)

    def step(self, passes: PassRunner, items: Sequence[Item], task: Task) -> Iterator[Term]:
        """Yield the search without a loss, then every pass, and the same with moved embeddings and the loss of both."""
        states, embeddings = draws(), self._embeddings
        with torch.no_grad():  # which must not stay off while the loop has its turn
            run = list(passes.run(items))
        calm = [passed.outputs for passed in run]
        yield from map(counted, run)
        random = at_random(self.first)
        moves: list[torch.Tensor] | None = None
        for _ in range(self.steps):
            embeddings.begin(moves, first=random)
            draw_again(states)
            yield from embeddings.searched(passes, items, self._apart_from(task, calm))
            moves = ascended(embeddings.slopes, self.step_size, self.epsilon)
        draw_again(states)
        yield from self._both(passes, items, task, moves or [])

    def _both(
        self, passes: PassRunner, items: Sequence[Item], task: Task, moves: Sequence[torch.Tensor]
    ) -> Iterator[Term]:
        """Yield every pass with its moved one after it, which draws the same dropout and carries the loss."""
        embeddings = self._embeddings
        embeddings.begin(moves, keep=False)
        calm, moved = passes.run(items), passes.run(items)
        while True:
            embeddings.moving, states = False, draws()
            one = next(calm, None)
            if one is None:
                break
            embeddings.moving = True
            draw_again(states)
            other = next(moved)
            loss = task.loss(one.outputs, one.labels)
            apart = self._apart(task, other, one.outputs)
            yield counted(one)
            yield Term(Loss(loss.total + self.weight * apart.total, loss.weight), other)
        embeddings.end()

    def _apart_from(self, task: Task, calm: Sequence[torch.Tensor]) -> Callable[[Passed], Loss]:
        """Return the loss of the search: the divergence of every pass from that of ``calm`` in its place."""
        before = iter(calm)
        return lambda passed: self._apart(task, passed, next(before))

    def _apart(self, task: Task, moved: Passed, calm: torch.Tensor) -> Loss:
        """Return the divergence of predictions from moved embeddings from those of ``calm`` ones (B, W, C)."""
        one, other = task.predicted(moved.outputs, moved.labels), task.predicted(calm, moved.labels)
        return Loss((symmetric(one.logits, other.logits) * one.weights).sum(), one.weights.sum())
