"""Moving the embeddings of tokens against the loss.

What is moved is the output of the modules that look tokens up, whatever the model calls them and whether or not they
are trained: before positions are added, before the norm of the embeddings, and in an encoder-decoder in both stacks.

Shape legend: B windows of a pass, W tokens of the longest one, D width of an embedding.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn import functional

from ctxlab.core.architecture import token_tables
from ctxlab.core.objective import Term
from ctxlab.core.passes import Item, Passed, PassRunner
from ctxlab.core.task import Loss
from ctxlab.objectives.inner.draws import own_generator


@dataclass(frozen=True, eq=False)
class Moved:
    """The output of one look-up of tokens, as it went on into the model."""

    output: torch.Tensor
    """(B, W, D)"""
    move: torch.Tensor
    """(B, W, D) what was added to it."""


@dataclass(frozen=True, eq=False)
class Slope:
    """The gradient of the loss at a moved output."""

    move: torch.Tensor
    """(B, W, D)"""
    gradient: torch.Tensor
    """(B, W, D) zero where the loss does not depend on it."""


Begin = Callable[[torch.Tensor], torch.Tensor]
"""Returns the first move of an output (B, W, D)."""


class Embeddings:
    """Watches the modules of a model that look tokens up, moves their outputs, and keeps the gradients there."""

    def __init__(self) -> None:
        self._handles: list[Any] = []
        self._queue: list[torch.Tensor] | None = None
        self._begin: Begin = torch.zeros_like
        self._kept: list[Moved] = []
        self.moving = self._keeping = False
        self.slopes: list[Slope] = []
        """Of all look-ups since ``begin``, in their order."""

    def watch(self, model: Any) -> None:
        """Watch ``model``, and no other one from now on."""
        for handle in self._handles:
            handle.remove()
        self._handles = [table.register_forward_hook(self._hook) for table in token_tables(model)]
        self.end()

    def begin(
        self, moves: Sequence[torch.Tensor] | None = None, *, first: Begin = torch.zeros_like, keep: bool = True
    ) -> None:
        """Move the outputs of the following look-ups.

        Args:
            moves: What is added to each, in order; None for what ``first`` returns.
            first: Returns the move of an output where there are none yet.
            keep: Whether gradients at the moved outputs are wanted.
        """
        self._queue, self._begin = None if moves is None else list(moves), first
        self._kept, self.slopes = [], []
        self.moving, self._keeping = True, keep

    def end(self) -> None:
        """Leave outputs as they are from now on."""
        self.moving, self._queue, self._kept, self.slopes = False, None, [], []

    def trained(self, passes: Iterable[Passed], loss: Callable[[Passed], Loss]) -> Iterator[Term]:
        """Yield the loss of every pass, from which the model learns; the gradients come from the loop."""
        for passed in passes:
            yield Term(loss(passed), passed)
            if passed.cut:  # the gradient has been computed
                kept, self._kept = self._kept, []
                self.slopes += [_slope(one, one.output.grad) for one in kept]

    def searched(self, passes: PassRunner, items: Sequence[Item], loss: Callable[[Passed], Loss]) -> Iterator[Term]:
        """Yield passes that are counted and from which only the moves learn: the gradient of no weight is computed."""
        total: torch.Tensor | None = None
        for passed in passes.run(items):
            found = loss(passed).total
            total = found if total is None else total + found
            if passed.cut:
                kept, self._kept = self._kept, []
                outputs = [one.output for one in kept]
                found_any = bool(outputs) and total.requires_grad
                gradients = torch.autograd.grad(total, outputs, allow_unused=True) if found_any else [None] * len(kept)
                self.slopes += map(_slope, kept, gradients)
                total = None
            yield counted(passed)

    def _hook(self, _module: Any, _given: Any, output: torch.Tensor) -> torch.Tensor | None:
        if not self.moving or not torch.is_grad_enabled():
            return None
        with torch.no_grad():
            move = self._begin(output) if self._queue is None else self._queue.pop(0)
        moved = output + move
        if self._keeping:
            if not moved.requires_grad:  # embeddings that are not trained
                moved = moved.detach().requires_grad_()
            moved.retain_grad()
            self._kept.append(Moved(moved, move))
        return moved


def counted(passed: Passed) -> Term:
    """Return a term without a loss, so that its pass is counted."""
    nothing = torch.zeros((), device=passed.outputs.device)
    return Term(Loss(nothing, nothing), replace(passed, cut=False))


def ascended(slopes: Sequence[Slope], step: float, epsilon: float) -> list[torch.Tensor]:
    """Return moves (B, W, D) one step up the gradient of each token, of a length of at most ``epsilon`` for each."""
    return [shortened(one.move + step * functional.normalize(one.gradient, dim=-1), epsilon) for one in slopes]


def shortened(move: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Return the move (B, W, D) with each token's at most ``epsilon`` long."""
    length = move.norm(dim=-1, keepdim=True)
    return torch.where(length > epsilon, move * (epsilon / length), move)


def at_random(length: float) -> Begin:
    """Return what draws moves: each token's uniform in a cube whose corners are ``length`` away.

    What it draws depends on (seed, step, pass) alone.
    """
    generator = own_generator()

    def drawn(output: torch.Tensor) -> torch.Tensor:
        cube = torch.rand(output.shape, generator=generator, dtype=torch.float64) * 2 - 1
        move: torch.Tensor = (cube * length / output.shape[-1] ** 0.5).to(output)
        return move

    return drawn


def _slope(one: Moved, gradient: torch.Tensor | None) -> Slope:
    return Slope(one.move, torch.zeros_like(one.output) if gradient is None else gradient)
