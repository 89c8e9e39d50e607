"""Which items a curriculum admits, and what the model loses on each of them."""

from collections.abc import Sequence
from time import perf_counter, process_time

import torch

from ctxlab.core.passes import Item
from ctxlab.data.sampler import split_forward
from ctxlab.runtime.forward import Passes
from ctxlab.runtime.ranks import Ranks
from ctxlab.training.job import Job
from ctxlab.training.state import TrainState


class Pacing:
    """Lets the items of a run follow its curriculum."""

    def __init__(self, job: Job, passes: Passes, ranks: Ranks) -> None:
        """Remember the run, what puts items through its model, and its processes, which must agree on losses."""
        self.job, self.passes, self.ranks = job, passes, ranks

    def follow(self, state: TrainState, share: float) -> bool:
        """Ask for ``share`` of the items from now on; return whether that changes which ones are admitted."""
        if share == state.share:
            return False
        stream = self.job.stream
        before = stream.epoch(state.epoch, state.length, state.share, state.losses)
        if self.job.strategy.curriculum.by_loss:
            state.losses = self._losses(before.items, state) if share < 1 else []
        state.share = share
        after = stream.epoch(state.epoch, state.length, share, state.losses)
        return after.steps != before.steps

    @torch.no_grad()
    def _losses(self, items: Sequence[Item], state: TrainState) -> list[float]:
        """Return the mean loss of each document under the model as it is, without dropout; its seconds are counted."""
        started, cpu_started = perf_counter(), process_time()
        count = max(item.document for item in items) + 1
        sums, weights = [0.0] * count, [0.0] * count
        sizes = {i: self.passes.size(item) for i, item in enumerate(items)}
        limit = state.tokens_per_forward or self.job.settings.tokens_per_forward or self.job.settings.tokens_per_step
        self.job.model.eval()
        for group in split_forward(range(len(items)), sizes, limit):
            for passed in self.passes.run([items[i] for i in group]):
                state.tokens += passed.tokens
                state.padded_tokens += passed.padded_tokens
                for row, (place, _) in enumerate(passed.rows):
                    task = self.job.task.part(passed.member)
                    loss = task.loss(passed.outputs[row : row + 1], passed.labels[row : row + 1])
                    document = items[group[place]].document
                    sums[document] += loss.total.item()
                    weights[document] += loss.weight.item()
        self.job.model.train()
        seconds, cpu_seconds = self.ranks.told([perf_counter() - started, process_time() - cpu_started])
        state.seconds += seconds
        state.cpu_seconds += cpu_seconds
        return self.ranks.told([a / max(b, 1e-12) for a, b in zip(sums, weights, strict=True)])
