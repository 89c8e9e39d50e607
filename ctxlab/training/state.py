"""Where a training run stands: all that a checkpoint must know besides weights."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass
class TrainState:
    """Plain numbers, so that it is JSON; the cursor (epoch, batch) stands in for any replay of the data."""

    step: int = 0
    """Optimizer steps done."""
    epoch: int = 0
    """Number of the pass that the next step belongs to, whole or left before its end: its order follows from it."""
    batch: int = 0
    """Steps done within that pass."""
    epochs: float = 0.0
    """Passes over the training documents done, the share of the current one included."""
    epochs_before: float = 0.0
    """The same at the beginning of the current one; a curriculum may leave a pass before its end."""
    length: int = 0
    """Context length of that pass (a curriculum changes it)."""
    tokens: int = 0
    """Tokens the model has seen, padding apart."""
    padded_tokens: int = 0
    """The same with padding."""
    seconds: float = 0.0
    """Seconds of training steps; evaluation and saving are not counted."""
    cpu_seconds: float = 0.0
    """Processor time of training steps, all threads together."""
    flops: float = 0.0
    """Floating point operations of all training steps; see ``runtime.cost.FlopCounter``."""
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
    peak_memory_bytes: int = 0
    """Highest memory of all processes that had a part in the run, as far as they came to a checkpoint."""
    notes: list[str] = field(default_factory=list)
    """What was changed on the way, a sentence each, for the report."""
    tracker_id: str | None = None
    resumed_from: str | None = None
    """Checkpoint that the run last went on from."""

    def begin_pass(self, length: int) -> None:
        """Go on with a new pass over the documents, at a context of ``length`` tokens."""
        self.epochs_before, self.length = self.epochs, length
        self.epoch, self.batch = self.epoch + 1, 0

    def count_step(self, steps_in_pass: int) -> None:
        """Move the cursor behind one more step of a pass that has ``steps_in_pass``."""
        self.step += 1
        self.batch += 1
        self.epochs = self.epochs_before + self.batch / steps_in_pass

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainState":
        """From JSON; keys of a newer version are ignored, and what an older one did not write is made up for."""
        known = {one.name for one in fields(cls)}
        whole = {"epochs_before": float(values.get("epoch", 0)), **values}
        return cls(**{key: value for key, value in whole.items() if key in known})
