"""The memory of a process while tensors are created and freed, which on a CPU exceeds that of the tensors.

Tensors on a CPU come from ``malloc``. Large ones have pages of their own, returned when they are freed; smaller ones
lie on the heap, where holes between them stay in memory until the end of the run (glibc, malloc/malloc.c, "dynamic
threshold adjustment"; other allocators behave alike).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

MAPPED_BYTES = 2**25 - 2**16
"""Size from which a tensor has pages of its own: the most that the dynamic threshold allows."""

HOLES = 0.25
"""Holes of the heap as a fraction of the tensors on it; 0.17 to 0.30 were measured (see docs/plan.md)."""

HOLES_SCATTERED = 0.85
"""The same where tensors that stay lie between many that do not: with activation checkpointing, whose layers are
computed again, and where only some weights are trained."""

LATER_BYTES = 16 * 2**20
"""What libraries and threads allocate after the first step."""

Event = tuple[int, bool]
"""Index of a tensor, and whether it is created (else it is freed)."""


@dataclass(frozen=True, slots=True)
class Peak:
    """The largest memory of a training step, without weights."""

    tensor_bytes: float
    """Bytes of all tensors at the same time."""
    heap_bytes: float
    """The same of tensors on the heap alone."""
    mapped_bytes: float
    """The same of tensors with pages of their own."""
    holes: float = HOLES
    """Holes of the heap as a fraction of the tensors on it."""

    def beside(self, sizes: Iterable[float]) -> "Peak":
        """Return the peak with tensors of these sizes in memory all the time, in addition."""
        given = list(sizes)
        mapped = sum(size for size in given if size >= MAPPED_BYTES)
        return replace(
            self,
            tensor_bytes=self.tensor_bytes + sum(given),
            heap_bytes=self.heap_bytes + sum(given) - mapped,
            mapped_bytes=self.mapped_bytes + mapped,
        )

    @property
    def process_bytes(self) -> float:
        """Return the bytes of the process, to which tensors on the heap and others add at different times."""
        return self.heap_bytes * (1 + self.holes) + self.mapped_bytes


def peak(events: Iterable[Event], sizes: Sequence[float], kept: Sequence[float]) -> Peak:
    """Return the peak of a step.

    Args:
        events: What happens to the tensors that the step creates, in order.
        sizes: Their bytes.
        kept: Bytes of each tensor that exists all the time, such as the optimizer's states.
    """
    total = mapped = 0.0
    most = Peak(0.0, 0.0, 0.0)
    for index, is_created in events:
        change = sizes[index] if is_created else -sizes[index]
        total += change
        mapped += change if sizes[index] >= MAPPED_BYTES else 0.0
        if is_created:
            most = Peak(
                max(most.tensor_bytes, total), max(most.heap_bytes, total - mapped), max(most.mapped_bytes, mapped)
            )
    return most.beside(kept)
