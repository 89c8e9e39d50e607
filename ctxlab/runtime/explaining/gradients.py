"""Gradients of a score by the embeddings of a document, along the way from absent tokens.

Shape legend: L tokens of a document, S points of the way, T tokens whose outputs make a score, P places of a window
whose outputs are used, C outputs per token, R windows of a pass, W tokens of the longest one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.explanation import Path, Target
from ctxlab.core.types import ADDED, DoubleArray
from ctxlab.runtime.explaining.embeddings import Mover, moving
from ctxlab.runtime.explaining.merging import merged
from ctxlab.runtime.explaining.reads import Plan, Reads


def path(reads: Reads, target: Target, shares: DoubleArray, baseline: str, mask_id: int) -> Path:
    """Return scores and gradients along the way; of several linked windows, one is differentiated at a time.

    Args:
        reads: The document.
        target: What is explained.
        shares: (S,) fractions of the way.
        baseline: What absent tokens are.
        mask_id: Token that stands for them, where the baseline is that.

    Raises:
        UserError: The memory passes no gradients on, or embeddings are not looked up.
    """
    plan = reads.plan(target)
    _check_gradient(reads, plan)
    width = min((reads.at_once(i) for i in plan.items), default=1)
    found = []
    with moving(reads.reader.model, baseline, mask_id) as mover:
        for start in range(0, len(shares), width):
            part = torch.as_tensor(shares[start : start + width], dtype=torch.float32)
            found.append(Points(reads, plan, target, mover=mover, shares=part).gradients())
    return Path(
        np.concatenate([one.scores for one in found]),
        np.concatenate([one.products for one in found]),
        np.concatenate([one.added for one in found]),
    )


def _check_gradient(reads: Reads, plan: Plan) -> None:
    memory = reads.reader.strategy.memory
    if memory.sequential and memory.num_cached != 0 and any(len(reads.items[i].windows) > 1 for i in plan.items):
        raise UserError(
            f"Gradients do not pass through the cached keys of strategy/memory={option(memory)}: use "
            "explanation=occlusion or explanation=shapley, which need none."
        )


@dataclass(frozen=True, eq=False)
class Points:
    """Some points of the way of a document."""

    document: Reads
    plan: Plan
    target: Target
    mover: Mover
    shares: torch.Tensor
    """(S,)"""

    def gradients(self) -> Path:
        """Return scores and gradients at these points.

        With several items, all are read without gradients first; what the score's gradient is by the outputs of each is
        known then, and each is read again alone and differentiated: memory is that of one item.
        """
        count, plan = len(self.shares), self.plan
        products, added = np.zeros((count, self.document.num_tokens)), np.zeros(count)
        if len(plan.items) == 1:
            (i,) = plan.items
            outputs = self._outputs(i)
            scores, pulls = self._pull({i: outputs})
            self._back(i, outputs, pulls[i], products=products, added=added)
            return Path(scores, products, added)
        known: dict[int, list[list[torch.Tensor]]] = {}
        for i in plan.items:
            with torch.no_grad():
                known[i] = self._outputs(i)
            self.mover.taken.clear()
        scores, pulls = self._pull(known)
        for i in plan.items:
            self._back(i, self._outputs(i), pulls[i], products=products, added=added)
        return Path(scores, products, added)

    def _outputs(self, i: int) -> list[list[torch.Tensor]]:
        self.mover.taken.clear()
        document = self.document
        copies = [document.items[i]] * len(self.shares)
        return document.read(self.plan, i, copies, mover=self.mover, shares=self.shares)

    def _pull(
        self, outputs: Mapping[int, list[list[torch.Tensor]]]
    ) -> tuple[DoubleArray, dict[int, list[list[torch.Tensor]]]]:
        """Return (S,) scores, and their gradient by each of the outputs, in the same order."""
        leaves = {i: [[one.detach().requires_grad_() for one in row] for row in rows] for i, rows in outputs.items()}
        document, plan = self.document, self.plan
        scores = []
        for s in range(len(self.shares)):
            own = {number: one for i in plan.items for number, one in document.named(plan, i, leaves[i][s])}
            scores.append(self.target.score(merged(plan.shares, own, plan.num_rows)))
        flat = [one for i in plan.items for row in leaves[i] for one in row]
        found = iter(torch.autograd.grad(torch.stack(scores).sum(), flat))
        pulls = {i: [[next(found) for _ in row] for row in leaves[i]] for i in plan.items}
        return torch.stack(scores).detach().double().cpu().numpy(), pulls

    def _back(
        self,
        i: int,
        outputs: list[list[torch.Tensor]],
        pulls: list[list[torch.Tensor]],
        products: DoubleArray,
        added: DoubleArray,
    ) -> None:
        """Add what an item contributes to gradient × way.

        Args:
            i: Number of the item.
            outputs: Of each copy and window.
            pulls: Gradients of the scores by them.
            products: (S, L) of document tokens.
            added: (S,) of other tokens.
        """
        taken = list(self.mover.taken)
        if not taken:
            raise UserError(
                "The embeddings of this model are not looked up in a table that gradients can be asked of: use "
                "explanation=occlusion or explanation=shapley."
            )
        flat = [one for row in outputs for one in row]
        weights_of = [one for row in pulls for one in row]
        grads: tuple[torch.Tensor | None, ...] = torch.autograd.grad(
            flat, [one.moved for one in taken], weights_of, allow_unused=True
        )
        item, count = self.document.items[i], len(self.shares)
        sequential = self.document.reader.strategy.memory.sequential
        for step, (one, grad) in enumerate(zip(taken, grads, strict=True)):
            if grad is None:
                continue
            values = (grad.double() * one.way.double()).sum(-1).cpu().numpy()  # (R, W)
            rows = [(c, step) for c in range(count)] if sequential else [
                (c, w) for c in range(count) for w in range(len(item.windows))
            ]  # fmt: skip
            for value, (c, w) in zip(values, rows, strict=True):
                index = item.windows[w].token_index
                own = index != ADDED
                np.add.at(products[c], index[own], value[: len(index)][own])
                added[c] += value[: len(index)][~own].sum()
