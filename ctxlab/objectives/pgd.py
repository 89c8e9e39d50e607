"""Adversarial training by several projected steps against the gradient of the embeddings."""

from collections.abc import Iterator, Sequence
from typing import Any

from ctxlab.core.objective import Objective, Term
from ctxlab.core.passes import Item, Passed, PassRunner
from ctxlab.core.task import Loss, Task
from ctxlab.objectives.inner.draws import draw_again, draws
from ctxlab.objectives.inner.limits import above_zero, at_least
from ctxlab.objectives.inner.moving import Embeddings, ascended


class PGD(Objective):
    """Every window as it is, and at the worst move of its embeddings that a few steps of gradient ascent find.

    Source: Madry et al. 2018, arXiv:1706.06083. Deviations: what is moved are embeddings; lengths are Euclidean and of
    each token; the ascent begins at the window itself, not at random, so that its first gradient comes with the pass
    that is trained anyway; the loss is the mean of both ends, so that the learning rate keeps its meaning. All passes
    draw the same dropout.

    A step costs ``steps`` + 1 forward and backward passes; the inner ones compute no gradient of a weight.
    """

    def __init__(self, epsilon: float, steps: int, step_size: float) -> None:
        """Set the ball in which the worst move is searched.

        Args:
            epsilon: Longest move (Euclidean) of each token's embedding, above 0.
            steps: Steps of ascent, at least 1; one of ``step_size`` ≥ ``epsilon`` is ``fgm``.
            step_size: Length of a step, above 0.

        Raises:
            UserError: One of them is out of range.
        """
        above_zero("moves nothing", "0.1", epsilon=epsilon, step_size=step_size)
        at_least(1, "3", steps=steps)
        self.epsilon, self.steps, self.step_size = epsilon, steps, step_size
        self._embeddings = Embeddings()

    def start(self, model: Any) -> None:
        """Watch the model's embeddings, whatever their table is called."""
        self._embeddings.watch(model)

    def step(self, passes: PassRunner, items: Sequence[Item], task: Task) -> Iterator[Term]:
        """Yield the task's loss of every pass, then the search without a loss, then the loss at the last move."""

        def loss(passed: Passed) -> Loss:
            return task.loss(passed.outputs, passed.labels)

        states, embeddings = draws(), self._embeddings
        embeddings.begin()
        yield from embeddings.trained(passes.run(items), loss)
        for _ in range(self.steps - 1):
            embeddings.begin(ascended(embeddings.slopes, self.step_size, self.epsilon))
            draw_again(states)
            yield from embeddings.searched(passes, items, loss)
        embeddings.begin(ascended(embeddings.slopes, self.step_size, self.epsilon), keep=False)
        draw_again(states)
        yield from embeddings.trained(passes.run(items), loss)
        embeddings.end()
