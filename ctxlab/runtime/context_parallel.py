"""Context parallelism: the processes of a group hold each window together, a contiguous part of its tokens each.

Every process reads the same batch and cuts its own part from it; only attention exchanges anything
(``strategies.attention.kernels.split``). A run of R processes has R / N groups, which share the passes of a step as
single processes do.

Shape legend: B windows, W tokens of a window with padding, P = W / N tokens of a part.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist

from ctxlab.core.architecture import first_position, vocabulary_size
from ctxlab.core.parts import Part
from ctxlab.core.quiet import evaluating
from ctxlab.core.strategy import Attention, Forward
from ctxlab.runtime.ranks import Ranks, collective


class ProcessPart(Part):
    """A part whose neighbours are other processes of the run."""

    def __init__(self, group: Any, members: Sequence[int], index: int) -> None:
        """Take the process group, the ranks of its members in the order of the parts, and the number of this one."""
        self._group, self._members = group, list(members)
        self.index, self.count = index, len(self._members)

    def exchange(
        self, to_before: torch.Tensor, to_after: torch.Tensor, like_before: torch.Tensor, like_after: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Send and receive at the same time."""
        before, after = (like.new_zeros(like.shape) for like in (like_before, like_after))
        both = ((self.index - 1, to_before, before), (self.index + 1, to_after, after))
        operations = []
        for neighbour, sent, received in both:
            if 0 <= neighbour < self.count:
                rank = self._members[neighbour]
                if sent.numel():
                    operations.append(dist.P2POp(dist.isend, sent.contiguous(), rank, self._group))
                if received.numel():
                    operations.append(dist.P2POp(dist.irecv, received, rank, self._group))
        if operations:
            collective(lambda: [work.wait() for work in dist.batch_isend_irecv(operations)])
        return before, after

    def whole(self, tensor: torch.Tensor, dim: int) -> torch.Tensor:
        """Gather at every part."""
        tensor = tensor.contiguous()
        found = [tensor.new_empty(tensor.shape) for _ in self._members]
        collective(lambda: dist.all_gather(found, tensor, group=self._group))
        return torch.cat(found, dim)

    def from_first(self, tensor: torch.Tensor) -> torch.Tensor:
        """Broadcast from the first part."""
        tensor = tensor.contiguous() if self.is_first else tensor.new_empty(tensor.shape)
        collective(lambda: dist.broadcast(tensor, self._members[0], group=self._group))
        return tensor

    def at_first(self, tensor: torch.Tensor) -> list[torch.Tensor]:
        """Gather at the first part."""
        tensor = tensor.contiguous()
        found = [torch.empty_like(tensor) for _ in self._members] if self.is_first else None
        collective(lambda: dist.gather(tensor, found, self._members[0], group=self._group))
        return found or []


def join(count: int, ranks: Ranks) -> Part | None:
    """Join the processes that hold windows together with this one; None where each holds whole windows.

    All processes of the run must call it.

    Args:
        count: Parts of a window, a divisor of the number of processes.
        ranks: This process among those of the run.
    """
    if count == 1:
        return None
    own = None
    for first in range(0, ranks.size, count):
        members = range(first, first + count)
        group = dist.new_group(list(members))  # every process takes part in the creation of every group
        if ranks.rank in members:
            own = ProcessPart(group, members, ranks.rank - first)
    return own


def deviation(model: Any, attention: Attention, part: Part) -> float:
    """Return the largest difference of a part's outputs for a short text from those of the whole text, relative to RMS.

    All processes of the group must call it.

    Args:
        model: Whose weights are the same in all of them, with ``attention`` installed.
        attention: A part of a strategy whose ``least_part`` is set.
        part: This process's part.
    """
    count = part.count * (attention.least_part or 1)
    ids = torch.arange(count, device=model.device)[None] % vocabulary_size(model)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    call = split_call(lambda named: model(**named), attention, part, first=first_position(model))
    with evaluating(model):
        whole = model(**inputs).logits.double()
        own = call(inputs).logits.double()
    return float((own - whole[:, part.places(count)]).abs().max() / whole.square().mean().sqrt())


def split_call(forward: Forward, attention: Attention, part: Part, *, first: int = 0) -> Forward:
    """Return a call of the model with this process's part of every window.

    Args:
        forward: Calls the model with named inputs (B, P).
        attention: The part of the strategy that is installed in it.
        part: Which tokens are this process's.
        first: Id of the first position, see ``architecture.first_position``.

    Returns:
        A call with the inputs of whole windows (B, W) whose outputs are those of the part (B, P, C).
    """

    def call(inputs: Mapping[str, Any]) -> Any:
        padding = inputs["attention_mask"].bool()  # (B, W)
        width = padding.shape[1]
        own = part.places(width)
        positions = torch.arange(width, device=padding.device)
        positions = positions.clamp(max=int(padding.sum(1).amax()) - 1)  # a table may end with the longest window
        named = {name: tensor[:, own] for name, tensor in inputs.items()}
        with attention.split(part, padding):
            return forward({**named, "position_ids": positions[None, own] + first})

    return call
