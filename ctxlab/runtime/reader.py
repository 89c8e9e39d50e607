"""Reading whole documents with a model and merging the outputs of their windows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ctxlab.core.passes import Item
from ctxlab.core.strategy import Strategy
from ctxlab.core.types import NO_LABEL, Encoded, FloatArray, Merged, Window
from ctxlab.data.sampler import split_forward
from ctxlab.runtime.forward import Passes, make_items, model_call
from ctxlab.runtime.generator import TextGenerator
from ctxlab.runtime.memory import run_within

_TOKENS_AT_ONCE = 1 << 19
"""Approximate tokens per group of documents, whose outputs are in memory before they are merged."""


@dataclass(frozen=True, eq=False)
class Reader:
    """A model with a strategy, which turns documents into outputs."""

    model: Any
    strategy: Strategy
    length: int
    tokens_per_forward: int
    pad_id: int
    device: torch.device
    reduce_outputs: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    """The part that is kept of outputs (B, W, C) with labels (B, W): the task's ``reduce_outputs``."""
    generator: TextGenerator | None = None
    """Set if the task generates text: documents then become the texts generated after their windows."""
    scores_target: bool = False
    """Whether the likelihood of the gold target is computed too."""
    runs_model: bool = True
    """Whether windows go through the model; if not, only the tokens kept by the windows are merged."""

    def read(self, encoded: Sequence[Encoded], done: Callable[[int], None] = lambda _: None) -> Iterator[Merged]:
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
            outputs = iter(self._outputs([item for row in items for item in row], done))
            for document, row, own in zip(group, windows, items, strict=True):
                seen = [output for _ in own for output in next(outputs)]
                yield self.strategy.reading.merge(row, seen, len(document))

    def _kept(
        self, group: Sequence[Encoded], windows: Sequence[Sequence[Window]], done: Callable[[int], None]
    ) -> Iterator[Merged]:
        """Merge the windows of each document of ``group`` without outputs."""
        for document, row in zip(group, windows, strict=True):
            done(sum(map(len, row)))
            yield self._unobserved(row, document)

    def _unobserved(self, row: Sequence[Window], document: Encoded) -> Merged:
        return self.strategy.reading.merge(row, [np.empty((len(w), 0), np.float32) for w in row], len(document))

    def _generated(
        self,
        generator: TextGenerator,
        group: Sequence[Encoded],
        windows: Sequence[Sequence[Window]],
        items: Sequence[Sequence[Item]],
        done: Callable[[int], None],
    ) -> Iterator[Merged]:
        """Generate text for each document of ``group``, and compute the likelihood of its target."""
        flat = [item for row in items for item in row]
        costs = iter(self._target_costs(flat, generator.target_place) if self.scores_target else [(0.0, 0)] * len(flat))
        texts = iter(generator.generate([window for row in windows for window in row], done))
        for document, row, own in zip(group, windows, items, strict=True):
            merged = self._unobserved(row, document)
            nll, asked = (sum(column) for column in zip((0.0, 0), *(next(costs) for _ in own), strict=True))
            yield replace(merged, generated=[next(texts) for _ in row], target_nll=float(nll), num_asked=int(asked))

    @torch.inference_mode()
    def _target_costs(self, items: Sequence[Item], target_place: str) -> list[tuple[float, int]]:
        """Return the negative log-likelihood (nats) and the tokens of the targets of each item."""
        passes = Passes(
            self.strategy, model_call(self.model), pad_id=self.pad_id, device=self.device, target_place=target_place
        )
        costs = [(0.0, 0)] * len(items)
        known = [i for i, item in enumerate(items) if any(map(len, item.targets))]
        sizes = [passes.size(item) for item in items]

        def run(group: Sequence[int]) -> None:
            for item in group:
                costs[item] = (0.0, 0)
            for passed in passes.run([items[i] for i in group]):
                asked = passed.labels != NO_LABEL
                nats = (self.reduce_outputs(passed.outputs, passed.labels)[..., 0].float() * asked).sum(dim=1)
                for (i, _), cost, count in zip(passed.rows, nats.tolist(), asked.sum(dim=1).tolist(), strict=True):
                    costs[group[i]] = costs[group[i]][0] + cost, costs[group[i]][1] + count

        run_within(split_forward(known, sizes, self.tokens_per_forward), sizes, run)
        return costs

    @torch.inference_mode()
    def _outputs(self, items: Sequence[Item], done: Callable[[int], None]) -> list[list[FloatArray]]:
        """Return outputs (W, D) of each window of each item; items of similar length share a forward pass."""
        passes = Passes(self.strategy, model_call(self.model), self.pad_id, self.device)
        sizes = [passes.size(item) for item in items]
        outputs: list[list[FloatArray]] = [[] for _ in items]

        def run(group: Sequence[int]) -> None:
            for passed in passes.run([items[i] for i in group]):
                kept = self.reduce_outputs(passed.outputs, passed.labels).float().cpu().numpy()
                for (i, w), row in zip(passed.rows, kept, strict=True):
                    item = group[i]
                    outputs[item] = outputs[item] or _room(items[item], row.shape[-1])
                    outputs[item][w][:] = row[: len(outputs[item][w])]
                done(passed.tokens)

        run_within(split_forward(range(len(items)), sizes, self.tokens_per_forward), sizes, run)
        return outputs


def _room(item: Item, num_outputs: int) -> list[FloatArray]:
    """Return empty (W, D) arrays for all windows in one block: small arrays would fragment memory between passes."""
    ends = np.cumsum([len(window) for window in item.windows])
    return np.split(np.empty((len(item), num_outputs), np.float32), ends[:-1])


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
