"""The memory of a process while tensors are created and freed, which on a CPU exceeds that of the tensors.

Tensors on a CPU come from ``malloc``. Large ones have pages of their own, returned when they are freed; smaller ones
lie on the heap, where holes between them stay in memory until the end of the run (glibc, malloc/malloc.c, "dynamic
threshold adjustment"; other allocators behave alike).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

MAPPED_BYTES = 2**25 - 2**16
"""Size from which a tensor has pages of its own: the most that the dynamic threshold allows."""

HOLES_SHARE = 0.12
"""Holes as a fraction of what comes and goes on the heap, however much that is (these three fit docs/plan.md)."""

HOLES, HOLES_SCATTERED = (0.8, 190 * 2**20), (1.6, 240 * 2**20)
"""Further holes: a fraction of it, and the bytes that they come to at most. The second where tensors that stay lie
between many that do not: with activation checkpointing, whose layers are computed again, and where only some weights
are trained."""

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
    lasting_bytes: float = 0.0
    """What of ``heap_bytes`` is there all the time."""
    holes: tuple[float, float] = HOLES
    """``HOLES`` or ``HOLES_SCATTERED``."""

    def beside(self, sizes: Iterable[float]) -> "Peak":
        """Return the peak with tensors of these sizes in memory all the time, in addition."""
        given = list(sizes)
        mapped = sum(size for size in given if size >= MAPPED_BYTES)
        return replace(
            self,
            tensor_bytes=self.tensor_bytes + sum(given),
            heap_bytes=self.heap_bytes + sum(given) - mapped,
            mapped_bytes=self.mapped_bytes + mapped,
            lasting_bytes=self.lasting_bytes + sum(given) - mapped,
        )

    @property
    def process_bytes(self) -> float:
        """Return the bytes of the process, to which tensors on the heap and others add at different times."""
        passing = self.heap_bytes - self.lasting_bytes
        share, most = self.holes
        holes = HOLES_SHARE * passing + min(share * passing, most)
        return self.heap_bytes + holes + self.mapped_bytes


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
