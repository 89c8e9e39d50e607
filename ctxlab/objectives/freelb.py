"""Adversarial training that learns from every step of the ascent."""

from collections.abc import Iterator, Sequence
from typing import Any

from ctxlab.core.objective import Objective, Term
from ctxlab.core.passes import Item, Passed, PassRunner
from ctxlab.core.task import Loss, Task
from ctxlab.objectives.inner.draws import draw_again, draws
from ctxlab.objectives.inner.limits import above_zero, at_least
from ctxlab.objectives.inner.moving import Embeddings, ascended, at_random, shortened


class FreeLB(Objective):
    """Every window at each of several moves of its embeddings, from a random one on uphill; the mean of their losses.

    Source: Zhu et al. 2020, arXiv:1909.11764. Deviations: the lengths are those of each token, not of the whole window,
    for which they would fade as contexts grow; so is the division of the random beginning, by √D for D values of a
    token. As there, all passes draw the same dropout.

    A step costs ``steps`` forward and backward passes, and no window is learned from as it is unless ``begin`` is 0.
    """

    def __init__(self, epsilon: float, steps: int, step_size: float, begin: float) -> None:
        """Set the ball and the way through it.

        Args:
            epsilon: Longest move (Euclidean) of each token's embedding, above 0.
            steps: Moves that are learned from, at least 2.
            step_size: Length of a step between two of them, above 0.
            begin: Longest first move, which is random; 0 begins at the window itself.

        Raises:
            UserError: One of them is out of range.
        """
        above_zero("moves nothing", "0.1", epsilon=epsilon, step_size=step_size)
        at_least(2, "3", steps=steps)
        at_least(0, "0.05", begin=begin)
        self.epsilon, self.steps, self.step_size, self.first = epsilon, steps, step_size, begin
        self._embeddings = Embeddings()

    def start(self, model: Any) -> None:
        """Watch the model's embeddings, whatever their table is called."""
        self._embeddings.watch(model)

    def step(self, passes: PassRunner, items: Sequence[Item], task: Task) -> Iterator[Term]:
        """Yield the task's loss of every pass, at one move after the other."""

        def loss(passed: Passed) -> Loss:
            return task.loss(passed.outputs, passed.labels)

        states, embeddings, random = draws(), self._embeddings, at_random(self.first)
        embeddings.begin(first=lambda output: shortened(random(output), self.epsilon))
        yield from embeddings.trained(passes.run(items), loss)
        for number in range(1, self.steps):
            moves = ascended(embeddings.slopes, self.step_size, self.epsilon)
            embeddings.begin(moves, keep=number < self.steps - 1)
            draw_again(states)
            yield from embeddings.trained(passes.run(items), loss)
        embeddings.end()
