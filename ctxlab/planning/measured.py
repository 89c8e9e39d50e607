"""What short training steps of a candidate came to: all that its cost is computed from, and what is cached."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ctxlab.planning.heap import Peak
from ctxlab.planning.shape import Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Coefficients of the cost of training; those of a list belong to the terms of a shape."""

    parameters: int
    trainable_parameters: int
    weight_bytes: int
    """Bytes of weights and buffers."""
    state_bytes: int
    """Bytes of the optimizer's states."""
    load: Load
    peaks: Mapping[int, Peak]
    """Tokens per forward pass → the peak of a step without weights; the first entry is the run's own, each of the
    others has half the tokens of the one before it."""
    other_bytes: int
    """Memory of the process beyond its tensors: the program, its libraries and documents."""
    flops: Sequence[float]
    pass_seconds: Sequence[float]
    """Coefficients of the seconds of forward and backward passes."""
    update_seconds: float
    """Seconds of the optimizer, once per step."""
    created_bytes: Sequence[float]
    """Coefficients of the bytes of all tensors that a step creates."""
    operations: int
    """Operations of a step with one forward pass."""
    precision: str
    """``fp32``, ``bf16`` or ``fp16``."""
    doubled_bytes: int = 0
    """Bytes of the weights that a checkpoint has twice, as the tuning rule merges its adapters into them."""
    average_bytes: int = 0
    """Bytes of the copies of weights that are averaged."""
    average_file_bytes: int = 0
    """Bytes that they add to a checkpoint."""

    @property
    def flops_per_step(self) -> float:
        """Return the mean floating point operations of a step."""
        return self._per_step(self.flops)

    @property
    def seconds_per_step(self) -> float:
        """Return the mean seconds of a step on the device that was measured."""
        return self._per_step(self.pass_seconds) + self.update_seconds

    @property
    def created_bytes_per_step(self) -> float:
        """Return the mean bytes of all tensors that a step creates."""
        return self._per_step(self.created_bytes)

    @property
    def operations_per_step(self) -> float:
        """Return the mean number of operations of a step."""
        return self.operations * max(self.load.terms_per_step[0], 1.0)

    @property
    def checkpoint_bytes(self) -> int:
        """Return the size of a checkpoint: weights, merged and not, those averaged, and the optimizer's states."""
        return self.weight_bytes + self.doubled_bytes + self.state_bytes + self.average_file_bytes

    def tensor_bytes(self, tokens_per_forward: int | None = None) -> int:
        """Return the peak of the tensors of training.

        Args:
            tokens_per_forward: One of ``peaks``; None for the run's own.
        """
        return int(self.weight_bytes + self.average_bytes + self._peak(tokens_per_forward).tensor_bytes)

    def peak_bytes(self, tokens_per_forward: int | None = None) -> int:
        """Return the peak memory of the process; the argument is that of ``tensor_bytes``."""
        peak = self._peak(tokens_per_forward)
        return int(self.weight_bytes + self.average_bytes + self.other_bytes + peak.process_bytes)

    def _peak(self, tokens_per_forward: int | None) -> Peak:
        return self.peaks[next(iter(self.peaks)) if tokens_per_forward is None else tokens_per_forward]

    def _per_step(self, coefficients: Sequence[float]) -> float:
        return float(np.dot(self.load.terms_per_step, coefficients))


def as_dict(measured: Measured) -> dict[str, Any]:
    """Return plain data for JSON."""
    return {**asdict(measured), "peaks": [[limit, asdict(peak)] for limit, peak in measured.peaks.items()]}


def from_dict(plain: Mapping[str, Any]) -> Measured:
    """Read plain data; raises ValueError, TypeError or KeyError if it is not what ``as_dict`` returns."""
    peaks = {int(limit): Peak(**{**peak, "holes": tuple(peak["holes"])}) for limit, peak in plain["peaks"]}
    found = Measured(**{**plain, "load": Load(**plain["load"]), "peaks": peaks})
    figures = [found.flops_per_step, found.seconds_per_step, found.created_bytes_per_step, float(found.peak_bytes())]
    if not np.isfinite(figures).all() or min(figures) < 0 or found.checkpoint_bytes < 0:
        raise ValueError("a figure is not a number of at least 0")
    return found
