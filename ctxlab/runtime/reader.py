"""Reading whole documents with a model and merging the outputs of their windows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ctxlab.core.passes import Item, Passed
from ctxlab.core.strategy import Strategy
from ctxlab.core.types import NO_LABEL, Encoded, FloatArray, Merged, Window
from ctxlab.data.sampler import split_forward
from ctxlab.runtime.forward import Passes, make_items, model_call, units
from ctxlab.runtime.generator import TextGenerator
from ctxlab.runtime.sharing import Done, run_shared

_TOKENS_AT_ONCE = 1 << 19
"""Approximate tokens per group of documents, whose outputs are in memory before they are merged."""


@dataclass(frozen=True, eq=False)
class Reader:
    """A model with a strategy, which turns documents into outputs.

    In a run of several processes all of them read the same documents: each runs a part of the passes, and all get all
    outputs.
    """

    model: Any
    strategy: Strategy
    length: int
    tokens_per_forward: int
    pad_id: int
    device: torch.device
    reduce_outputs: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    """The part that is kept of outputs (B, W, C) with labels (B, W): the task's ``reduce_outputs``."""
    members: Sequence[Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = ()
    """The same of each member of a task with several; empty for others."""
    generator: TextGenerator | None = None
    """Set if the task generates text: documents then become the texts generated after their windows."""
    scores_target: bool = False
    """Whether the likelihood of the gold target is computed too."""
    runs_model: bool = True
    """Whether windows go through the model; if not, only the tokens kept by the windows are merged."""

    def read(self, encoded: Sequence[Encoded], done: Done = lambda _: None) -> Iterator[Merged]:
        """Yield the merged outputs of every document, in order; ``done`` is called with each number of tokens read."""
        self.model.eval()
        for group in _groups(encoded):
            windows = [self.strategy.reading.windows(document, self.length) for document in group]
            items = [make_items(i, document, row) for i, (document, row) in enumerate(zip(group, windows, strict=True))]
            if not self.runs_model:
                yield from self._kept(group, windows, done)
                continue
            if self.generator is not None:
                yield from self._generated(self.generator, group, windows=windows, items=items, done=done)
                continue
            outputs = iter(self.outputs([item for row in items for item in row], done))
            for document, row, own in zip(group, windows, items, strict=True):
                seen = [output for _ in own for output in next(outputs)]
                yield self.merged(document, row, seen)

    def _kept(self, group: Sequence[Encoded], windows: Sequence[Sequence[Window]], done: Done) -> Iterator[Merged]:
        """Merge the windows of each document of ``group`` without outputs."""
        for document, row in zip(group, windows, strict=True):
            done(sum(map(len, row)))
            yield self.unobserved(document, row)

    def merged(self, document: Encoded, row: Sequence[Window], outputs: Sequence[FloatArray]) -> Merged:
        """Merge the outputs (W, D) of the windows of a document."""
        return replace(self.strategy.reading.merge(row, outputs, len(document)), num_windows=len(row))

    def unobserved(self, document: Encoded, row: Sequence[Window]) -> Merged:
        """Merge the windows of a document that has no outputs."""
        return self.merged(document, row, [np.empty((len(w), 0), np.float32) for w in row])

    def _generated(
        self,
        generator: TextGenerator,
        group: Sequence[Encoded],
        windows: Sequence[Sequence[Window]],
        items: Sequence[Sequence[Item]],
        done: Done,
    ) -> Iterator[Merged]:
        """Generate text for each document of ``group``, and compute the likelihood of its target."""
        flat = [item for row in items for item in row]
        asked = self._target_costs(flat, generator.target_place) if self.scores_target else np.zeros((len(flat), 2))
        costs = iter(asked)
        with self.strategy.attention.reading():
            texts = iter(generator.generate([unit for row in windows for unit in units(row)], done))
        for document, row, own in zip(group, windows, items, strict=True):
            merged = self.unobserved(document, row)
            nll, num_asked = sum((next(costs) for _ in own), np.zeros(2))
            found = [next(texts) for _ in units(row)]
            yield replace(merged, generated=found, target_nll=float(nll), num_asked=int(num_asked))

    def _passes(self) -> Passes:
        return Passes(self.strategy, model_call(self.model), self.pad_id, self.device)

    def sizes(self, items: Sequence[Item]) -> list[int]:
        """Return the tokens of each item that are in memory at the same time in a forward pass."""
        passes = self._passes()
        return [passes.size(item) for item in items]

    def _passed(self, passes: Passes, items: Sequence[Item]) -> Iterator[Passed]:
        """Yield the passes over ``items`` as evaluation reads."""
        with self.strategy.attention.reading():
            yield from passes.run(items)

    @torch.inference_mode()
    def _target_costs(self, items: Sequence[Item], target_place: str) -> npt.NDArray[np.float64]:
        """Return (items, 2): the negative log-likelihood (nats) and the number of tokens of the targets of each."""
        passes = Passes(
            self.strategy, model_call(self.model), pad_id=self.pad_id, device=self.device, target_place=target_place
        )
        costs = np.zeros((len(items), 2))
        known = [i for i, item in enumerate(items) if any(map(len, item.targets))]
        sizes = [passes.size(item) for item in items]

        def run(group: Sequence[int], done: Done) -> None:
            del done  # the texts' windows are counted instead
            costs[list(group)] = 0.0
            for passed in self._passed(passes, [items[i] for i in group]):
                asked = passed.labels != NO_LABEL
                nats = (self.reduce_outputs(passed.outputs, passed.labels)[..., 0].float() * asked).sum(dim=1)
                for (i, _), cost, count in zip(passed.rows, nats.tolist(), asked.sum(dim=1).tolist(), strict=True):
                    costs[group[i]] += cost, count

        groups = split_forward(known, sizes, self.tokens_per_forward)
        run_shared(groups, sizes, run, take=costs.__getitem__, put=costs.__setitem__, done=lambda _: None)
        return costs

    @torch.inference_mode()
    def outputs(self, items: Sequence[Item], done: Done = lambda _: None) -> list[list[FloatArray]]:
        """Return outputs (W, D) of each window of each item; items of similar length share a forward pass."""
        passes = self._passes()
        sizes = [passes.size(item) for item in items]
        outputs: list[list[FloatArray]] = [[] for _ in items]

        def run(group: Sequence[int], done: Done) -> None:
            for passed in self._passed(passes, [items[i] for i in group]):
                reduce = self.members[passed.member] if self.members else self.reduce_outputs
                kept = reduce(passed.outputs, passed.labels).float().cpu().numpy()
                for (i, w), row in zip(passed.rows, kept, strict=True):
                    item = group[i]
                    outputs[item] = outputs[item] or _room(items[item], row.shape[-1])
                    outputs[item][w][:] = row[: len(outputs[item][w])]
                done(passed.tokens)

        def put(item: int, block: FloatArray) -> None:
            outputs[item] = _divided(items[item], block)

        groups = split_forward(range(len(items)), sizes, self.tokens_per_forward)
        run_shared(groups, sizes, run, take=lambda item: np.concatenate(outputs[item]), put=put, done=done)
        return outputs


def _room(item: Item, num_outputs: int) -> list[FloatArray]:
    """Return empty (W, D) arrays for all windows in one block: small arrays would fragment memory between passes."""
    return _divided(item, np.empty((len(item), num_outputs), np.float32))


def _divided(item: Item, block: FloatArray) -> list[FloatArray]:
    """Return the (W, D) array of each window in a block with those of all windows."""
    return np.split(block, np.cumsum([len(window) for window in item.windows])[:-1])


def _groups(encoded: Sequence[Encoded]) -> Iterator[list[Encoded]]:
    group: list[Encoded] = []
    size = 0
    for document in encoded:
        group.append(document)
        size += len(document)
        if size >= _TOKENS_AT_ONCE:
            yield group
            group, size = [], 0
    if group:
        yield group
