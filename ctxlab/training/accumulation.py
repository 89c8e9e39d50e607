"""Forward and backward over the passes of a step, in groups that fit memory, shared among the processes of a run."""

import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from ctxlab.core.errors import UserError
from ctxlab.core.passes import Item
from ctxlab.core.task import Loss
from ctxlab.data.sampler import split_forward
from ctxlab.runtime import sharded
from ctxlab.runtime.cost import FlopCounter
from ctxlab.runtime.forward import Passes
from ctxlab.runtime.memory import LackOfMemory, half, lack_of_dealt, lack_of_parts, ran_out
from ctxlab.runtime.ranks import Ranks
from ctxlab.training import lanes
from ctxlab.training.faults import check_finite
from ctxlab.training.job import Job
from ctxlab.training.stop import Stop
from ctxlab.training.stream import Epoch


class Accumulation:
    """Accumulates the gradients of a step: each process runs the passes of its lanes, and all get the sum."""

    def __init__(self, job: Job, accelerator: Accelerator, *, passes: Passes, ranks: Ranks, stop: Stop) -> None:
        """Deal lanes to the processes.

        Args:
            job: The run.
            accelerator: Runs the backward pass.
            passes: Runs the model.
            ranks: This process among those of the run.
            stop: Learns of signals to the others.

        Raises:
            UserError: The lanes cannot be dealt equally.
        """
        self.job, self.accelerator, self.passes, self.ranks, self.stop = job, accelerator, passes, ranks, stop
        self.trainable = [p for p in job.model.parameters() if p.requires_grad]
        self.num_parts = job.settings.context_parallel
        self.group, self.part = divmod(ranks.rank, self.num_parts)
        self.num_lanes = lanes.count(job.settings.lanes, self.num_groups)
        self.is_dealt = sharded.is_dealt(job.model)
        self._running: list[Item] = []
        """Items of the latest forward pass."""

    @property
    def num_groups(self) -> int:
        """Return the number of groups of processes with parts of the same windows, which compute lanes together."""
        return self.ranks.size // self.num_parts

    def step(
        self, epoch: Epoch, indices: Sequence[int], step: int = 0, tokens_per_forward: int | None = None
    ) -> lanes.Sums:
        """Run forward and backward over the passes of a step, each process over those of its lanes.

        Args:
            epoch: The epoch of the step.
            indices: Its items.
            step: Its number, which seeds the passes.
            tokens_per_forward: Most tokens of a pass; None for those of the configuration.

        Returns:
            The sums over all lanes of all processes, whose gradients every parameter then has.

        Raises:
            LackOfMemory: The passes of some process are too large for its memory.
            UserError: A single document does not fit the memory.
            Diverged: The loss of a lane is not finite.
        """
        groups = list(self._forward_groups(epoch, indices, tokens_per_forward))
        if self.job.objective.whole_steps and len(groups) > 1:
            raise _not_whole(len(groups), sum(len(item) for items in groups for item in items))
        costs = [float(sum(map(self.passes.size, items))) for items in groups]
        dealt = lanes.share(costs, self.num_lanes)
        adds = max(self.num_lanes, self.ranks.size) > 1 and not self.is_dealt  # gradients are summed pass by pass there
        gradients = lanes.Gradients(self.trainable) if adds else None
        found, has_memory = [], True
        try:
            for lane in range(self.group, self.num_lanes, self.num_groups):
                found.append(self._lane(groups, dealt[lane], step))
                if gradients is not None:
                    gradients.add_lane()
            if self.is_dealt:
                self._join_passes(groups, max(map(len, dealt)) - len(dealt[self.group]))
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
            if self.is_dealt:  # the others wait for the weights of a layer
                raise lack_of_dealt(self.ranks.size) from error
            if self.num_parts > 1:  # the others of the group wait in an exchange
                raise lack_of_parts(self.num_parts) from error
            has_memory = False
        sums = self._agree(found, 0 if has_memory else self._smaller_passes())
        if gradients is not None:
            gradients.share(self.ranks)
        for lane, row in enumerate(sums):
            ids = [self.job.document_ids[item.document] for number in dealt[lane] for item in groups[number]]
            check_finite("loss", row[0], step, ids)
        return lanes.total(sums)

    def check_compared(self, epoch: Epoch, indices: Sequence[int]) -> None:
        """Refuse a step whose passes have one window each, for a task that compares the windows of a pass.

        Raises:
            UserError: Says what puts several windows into a pass.
        """
        if self.job.task.compares:
            _check_compared(list(self._forward_groups(epoch, indices, None)), epoch)

    def _smaller_passes(self) -> int:
        """Free the memory of a step that did not fit, and return the tokens of passes of half the size.

        Raises:
            UserError: A single document does not fit the memory.
        """
        self.job.model.zero_grad()
        if self.accelerator.device.type == "cuda":
            torch.cuda.empty_cache()
        names = [self.job.document_ids[item.document] for item in self._running]
        return half([self.passes.size(item) for item in self._running], names)

    def _agree(self, found: Sequence[lanes.Sums], smaller: int) -> Any:
        """Return the figures of all lanes (lanes, figures), in their order, and learn of signals to other processes.

        Args:
            found: Sums of this process's lanes.
            smaller: Tokens of a forward pass that it has memory for; 0 if it has enough.

        Raises:
            LackOfMemory: Some process has not enough.
        """
        count = self.num_lanes // self.num_groups
        own = [figure for one in found for figure in astuple(one)]
        own += [0.0] * (count * lanes.FIGURES - len(own))
        table = self.ranks.table([float(self.stop.signal_number or 0), float(smaller), *own])
        self.stop.agreed = int(table[:, 0].max()) or None
        limits = table[table[:, 1] > 0, 1]
        if len(limits):
            self.job.model.zero_grad()
            raise LackOfMemory(int(limits.min()))
        by_group = table[:, 2:].reshape(self.num_groups, self.num_parts, count, lanes.FIGURES).sum(1)
        # Lane l belongs to group l mod groups.
        return by_group.swapaxes(0, 1).reshape(-1, lanes.FIGURES)

    def _lane(self, groups: Sequence[list[Item]], numbers: Sequence[int], step: int) -> lanes.Sums:
        """Run forward and backward over the passes of a lane; a pass draws the same numbers in every lane."""
        sums = lanes.Sums()
        with FlopCounter() as counter:
            for number in numbers:
                seed_pass(self.job.seed, step, number, self.part)
                self._accumulate_pass(groups[number], sums)
        sums.flops = counter.total
        return sums

    def _join_passes(self, groups: Sequence[list[Item]], count: int) -> None:
        """Take part in passes that other processes have more of: gradients are zero, and nothing is counted.

        Args:
            groups: Items of all passes of the step; the smallest one is read.
            count: Passes that this process has fewer than another.
        """
        smallest = min((item for items in groups for item in items), key=self.passes.size)
        for _ in range(count):
            self._accumulate_pass([smallest], lanes.Sums(), factor=0.0)

    def _accumulate_pass(self, items: list[Item], sums: lanes.Sums, *, factor: float = 1.0) -> None:
        """Run forward and backward over a pass; its gradient is multiplied by ``factor``."""
        self._running = items
        carried: torch.Tensor | None = None
        viewed = [item for item in items for _ in range(self.job.task.views)]
        for term in self.job.objective.step(self.passes, viewed, self.job.task.part(items[0].member)):
            loss = factor * self._penalized(term.loss)
            carried = loss if carried is None else carried + loss
            if term.passed.cut:
                self.accelerator.backward(carried)
                carried = None
            sums.loss += term.loss.total.item()
            sums.weight += term.loss.weight.item()
            sums.tokens += term.passed.tokens
            sums.padded_tokens += term.passed.padded_tokens
        if carried is not None:  # the last passes of the objective were not cut
            self.accelerator.backward(carried)

    def _penalized(self, loss: Loss) -> torch.Tensor:
        """Return the loss summed over labels, plus the penalties of attention and tuning for each of them."""
        total = loss.total
        for part in (self.job.strategy.attention, self.job.tuning):
            penalty = part.penalty(self.job.model)
            total = total if penalty is None else total + penalty * loss.weight
        return total

    def _forward_groups(
        self, epoch: Epoch, indices: Sequence[int], tokens_per_forward: int | None
    ) -> Iterator[list[Item]]:
        settings = self.job.settings
        whole = sys.maxsize if self.job.objective.whole_steps else settings.tokens_per_step
        limit = tokens_per_forward or settings.tokens_per_forward or whole
        sizes = {i: self.passes.size(epoch.items[i]) for i in indices}
        for group in split_forward(indices, sizes, limit):
            yield [epoch.items[i] for i in group]


def _check_compared(groups: Sequence[list[Item]], epoch: Epoch) -> None:
    """Refuse a step whose passes have one window each; the last step of an epoch may have but one.

    Raises:
        UserError: Says what puts several windows into a pass.
    """
    always = len(groups) > 1 or all(len(step) == 1 for step in epoch.steps)
    if always and all(len(items) == 1 for items in groups):
        raise UserError(
            f"Every forward pass has one window (of {len(groups[0][0])} tokens in the first), and this task tells the "
            "windows of a pass from one another: raise trainer.tokens_per_step and trainer.tokens_per_forward, or "
            "use a shorter context."
        )


def _not_whole(num_passes: int, num_tokens: int) -> UserError:
    """Return the mistake of a step that was divided, for an objective that needs it whole."""
    return UserError(
        f"A step of {num_tokens:,} tokens would be divided into {num_passes} forward passes, and this objective "
        "compares all documents of a step: lower trainer.tokens_per_step, or leave out trainer.tokens_per_forward."
    )


def seed_step(seed: int, step: int) -> None:
    """Seed every global generator for a step, so that a resumed run draws the same numbers."""
    _seed(seed, step)


def seed_pass(seed: int, step: int, number: int, part: int = 0) -> None:
    """Seed every global generator for a pass of a step, so that it draws the same numbers in whatever process.

    Args:
        seed: Of the run.
        step: Number of the step.
        number: Number of the pass in it.
        part: Part of the windows that this process has; each draws its own numbers.
    """
    _seed(seed, step, number + 1, *([part] if part else []))


def _seed(*numbers: int) -> None:
    drawn = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    random.seed(drawn)
    np.random.seed(drawn)
    torch.manual_seed(drawn)
