"""The state of a training run: everything in a checkpoint besides weights and optimizer."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ctxlab.training.lanes import Sums


@dataclass
class TrainState:
    """Training state in plain numbers, saved as JSON; the cursor (epoch, batch) replaces a replay of the data."""

    step: int = 0
    """Optimizer steps done."""
    epoch: int = 0
    """Index of the pass that the next step belongs to; it determines the order of the items. Where documents stay in
    a large file, each of its blocks counts as a pass here, but not in ``epochs``."""
    batch: int = 0
    """Steps done within that pass."""
    epochs: float = 0.0
    """Passes over the training documents done, including the fraction of the current one."""
    epochs_before: float = 0.0
    """``epochs`` at the start of the current pass; a curriculum may leave a pass before its end."""
    length: int = 0
    """Context length of the current pass (a curriculum changes it)."""
    share: float = 1.0
    """Fraction of the items that the current pass was asked to admit (a curriculum changes it)."""
    losses: list[float] = field(default_factory=list)
    """Mean loss of each document when the current stage began, for a curriculum that goes by it; else empty."""
    tokens: int = 0
    """Tokens that the model has read, without padding."""
    padded_tokens: int = 0
    """Tokens with padding."""
    seconds: float = 0.0
    """Seconds of training steps; evaluation and saving are not counted."""
    cpu_seconds: float = 0.0
    """CPU time of training steps, summed over threads."""
    flops: float = 0.0
    """Floating point operations of all training steps; see ``runtime.cost.FlopCounter``."""
    loss_sum: float = 0.0
    """Sum of the loss since the last logged point."""
    loss_weight: float = 0.0
    logged_rows: int | None = None
    """Rows of ``metrics.jsonl`` before the checkpoint; None in checkpoints of versions that did not count them."""
    learning_rate: float = 0.0
    """Learning rate of the last step."""
    gradient_norm: float = 0.0
    """Gradient norm of the last step, before clipping."""
    usual_norm: float = 0.0
    """Running mean of gradient norms, without spikes."""
    usual_steps: int = 0
    """Steps in that mean."""
    spikes: int = 0
    """Steps whose gradient norm was a spike."""
    tokens_per_forward: int | None = None
    """Most tokens of a forward pass since the memory ran out; None as long as it did not."""
    best_metric: float | None = None
    best_step: int | None = None
    evaluated_step: int | None = None
    """Step of the last evaluation."""
    evaluations_without_gain: int = 0
    peak_memory_bytes: int = 0
    """Peak memory over all processes of the run, recorded at their checkpoints."""
    notes: list[str] = field(default_factory=list)
    """Settings that were changed on resuming, one sentence each, for the report."""
    cycle_ends: list[int] = field(default_factory=list)
    """Steps at which a cycle of the schedule ended; their checkpoints are kept."""
    tracker_id: str | None = None
    resumed_from: str | None = None
    """Checkpoint that the run was last resumed from."""

    def begin_pass(self, length: int) -> None:
        """Start a new pass over the documents, at a context of ``length`` tokens."""
        self.epochs_before, self.length = self.epochs, length
        self.epoch, self.batch = self.epoch + 1, 0

    def count_step(self, steps_in_pass: float) -> None:
        """Advance the cursor by one step of a pass over all documents, which has ``steps_in_pass`` steps."""
        self.step += 1
        self.batch += 1
        self.epochs = self.epochs_before + self.batch / steps_in_pass

    def add(self, sums: Sums) -> None:
        """Add what the passes of a step came to."""
        self.loss_sum += sums.loss
        self.loss_weight += sums.weight
        self.tokens += int(sums.tokens)
        self.padded_tokens += int(sums.padded_tokens)
        self.flops += sums.flops

    def to_dict(self) -> dict[str, Any]:
        """Return the state as JSON data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainState":
        """Read JSON data; keys of newer versions are ignored, and keys missing in older ones are derived."""
        known = {one.name for one in fields(cls)}
        whole = {"epochs_before": float(values.get("epoch", 0)), **values}
        return cls(**{key: value for key, value in whole.items() if key in known})
