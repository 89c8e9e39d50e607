"""Adversarial training by a single step against the gradient of the embeddings."""

from collections.abc import Iterator, Sequence
from typing import Any

from ctxlab.core.objective import Objective, Term
from ctxlab.core.passes import Item, Passed, PassRunner
from ctxlab.core.task import Loss, Task
from ctxlab.objectives.inner.draws import draw_again, draws
from ctxlab.objectives.inner.limits import above_zero
from ctxlab.objectives.inner.moving import Embeddings, ascended


class FGM(Objective):
    """Every window twice: as it is, and with the output of the embeddings moved to where the loss grows fastest.

    Source: Miyato et al. 2017, arXiv:1605.07725. Deviations: ε is the length of the move of each token, not of the
    whole window, for which a length of 1 would leave 1/√W to each of W tokens; the embeddings are not normalised; the
    loss is the mean of both, so that the learning rate keeps its meaning. Both passes draw the same dropout. In an
    encoder-decoder the tokens of both stacks are moved.

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
        above_zero("moves nothing", "0.1", epsilon=epsilon)
        self.epsilon = epsilon
        self._embeddings = Embeddings()

    def start(self, model: Any) -> None:
        """Watch the model's embeddings, whatever their table is called."""
        self._embeddings.watch(model)

    def step(self, passes: PassRunner, items: Sequence[Item], task: Task) -> Iterator[Term]:
        """Yield the task's loss of every pass, then that of the same passes with moved embeddings."""

        def loss(passed: Passed) -> Loss:
            return task.loss(passed.outputs, passed.labels)

        states = draws()
        self._embeddings.begin()
        yield from self._embeddings.trained(passes.run(items), loss)
        self._embeddings.begin(ascended(self._embeddings.slopes, self.epsilon, self.epsilon), keep=False)
        draw_again(states)
        yield from self._embeddings.trained(passes.run(items), loss)
        self._embeddings.end()
