"""Where a training run stands: all that a checkpoint must know besides weights."""

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass
class TrainState:
    """Plain numbers, so that it is JSON; the cursor (epoch, batch) stands in for any replay of the data."""

    step: int = 0
    """Optimizer steps done."""
    epoch: int = 0
    """Epoch of the next step."""
    batch: int = 0
    """Steps done within that epoch."""
    epochs: float = 0.0
    """Epochs done, with the share of the current one."""
    length: int = 0
    """Context length of that epoch (a curriculum changes it)."""
    tokens: int = 0
    """Tokens the model has seen, padding apart."""
    padded_tokens: int = 0
    """The same with padding."""
    seconds: float = 0.0
    """Seconds of training steps; evaluation and saving are not counted."""
    cpu_seconds: float = 0.0
    """Processor time of training steps, all threads together."""
    flops: float = 0.0
    """Estimated floating point operations, see cost.py."""
    loss_sum: float = 0.0
    """Loss since the last logged point."""
    loss_weight: float = 0.0
    learning_rate: float = 0.0
    """Of the last step."""
    gradient_norm: float = 0.0
    """Of the last step, before clipping."""
    best_metric: float | None = None
    best_step: int | None = None
    evaluated_step: int | None = None
    """Step of the last evaluation."""
    evaluations_without_gain: int = 0
    tracker_id: str | None = None
    resumed_from: str | None = None
    """Checkpoint that the run last went on from."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainState":
        """From JSON; keys of a newer version are ignored."""
        known = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in values.items() if key in known})
