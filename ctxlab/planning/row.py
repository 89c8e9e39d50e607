"""One candidate of a plan: its cost, or why it is not applicable."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Figures of a candidate; None where it is not applicable."""

    candidate: str
    """Key, such as ``longformer-4096``."""
    title: str
    strategy: str
    context_length: int | None
    applicable: bool
    """Whether it can be trained at all."""
    why: str = ""
    """Why not, or what is to be known about the figures."""
    fits: bool | None = None
    """Whether the memory suffices; None where it is not known how much there is."""
    remedy: str = ""
    """What would make it fit."""
    precision: str | None = None
    parameters: int | None = None
    trainable_parameters: int | None = None
    longest_window: int | None = None
    """Tokens of the longest window."""
    peak_memory_bytes: int | None = None
    peak_memory_bytes_range: tuple[int, int] | None = None
    """Bounds on a device that was not measured."""
    tensor_bytes: int | None = None
    """The part of the peak that is tensors."""
    disk_bytes: int | None = None
    """Checkpoints at any one time, at most."""
    tokens_per_step: float | None = None
    flops_per_step: float | None = None
    seconds_per_step: float | None = None
    seconds_per_step_range: tuple[float, float] | None = None
    """Bounds on a device that was not measured."""
    steps: int | None = None
    """Steps of the whole budget."""
    epochs: float | None = None
    tokens: float | None = None
    flops: float | None = None
    """Floating point operations of the whole budget."""
    seconds: float | None = None
    """Seconds of training of the whole budget."""


def as_dict(row: Row) -> dict[str, Any]:
    """Return plain data for JSON, without what is not known."""
    return {name: value for name, value in asdict(row).items() if value is not None and value != ""}
