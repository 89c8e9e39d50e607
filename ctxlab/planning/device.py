"""Estimates of time and memory on a device of the table, from its published rates: a range, never measured here.

Time follows the roofline model (Williams et al. 2009, doi:10.1145/1498765.1498785): a step takes at least as long as
its operations at the peak rate, and as its memory traffic at the peak bandwidth.
"""

from dataclasses import dataclass

EFFICIENCY = (0.25, 0.75)
"""Fractions of the published peak rates that training reaches, worst and best."""

ACCESSES = 3
"""Reads and writes of memory for each byte that an operation creates: two inputs and the result."""

LAUNCH_SECONDS = 1e-5
"""Overhead of an operation where the device waits for the program."""

CONTEXT_BYTES = (0.4e9, 1.2e9)
"""Memory of the libraries on the device."""

FRAGMENTATION = 0.1
"""Fraction of memory that the allocator may hold in addition, at worst."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the table, ``conf/device``."""

    name: str
    memory_bytes: float
    half_flops: float
    """Dense matrix products per second in bf16, or fp16 where ``has_bf16`` is False, in operations."""
    single_flops: float
    """The same in fp32."""
    bytes_per_second: float
    has_bf16: bool

    @property
    def precision(self) -> str:
        """Return the precision that ``trainer.precision=auto`` has on this device."""
        return "bf16" if self.has_bf16 else "fp16"


@dataclass(frozen=True, slots=True)
class Range:
    """A figure that is known within bounds only."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """Return the geometric mean."""
        return float((self.low * self.high) ** 0.5)


def seconds(device: Device, *, flops: float, created_bytes: float, operations: float, single: bool) -> Range:
    """Estimate the seconds of a step.

    Args:
        device: Its published rates.
        flops: Floating point operations.
        created_bytes: Bytes of all tensors that the step creates.
        operations: Number of operations.
        single: Whether it computes in fp32.
    """
    rate = device.single_flops if single else device.half_flops
    bound = max(flops / rate, ACCESSES * created_bytes / device.bytes_per_second)
    worst, best = EFFICIENCY
    return Range(bound / best, max(bound / worst, operations * LAUNCH_SECONDS))


def memory(tensor_bytes: float) -> Range:
    """Estimate the memory on a device, given the peak of the tensors alone."""
    low, high = CONTEXT_BYTES
    return Range(tensor_bytes + low, tensor_bytes * (1 + FRAGMENTATION) + high)
