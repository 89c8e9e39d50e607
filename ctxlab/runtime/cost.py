"""What a run costs: floating point operations by formula, peak memory by the system."""

import resource
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers.pytorch_utils import Conv1D

from ctxlab.core.model import PARTS


@dataclass(frozen=True)
class FlopModel:
    """Counts operations of one window from sizes.

    A multiply-add counts as two. Forward: 2 operations a weight and token, plus 4 · hidden size for each query-key
    pair and layer (scores and weighted sum over all heads); for BERT that is n · (24·L·d² + 4·L²·d), which matches
    torch's FlopCounterMode under eager attention (a test holds it there). Backward is twice the forward.
    Embedding tables are looked up, not multiplied, and do not count (GPT-2's matrices are the library's ``Conv1D``).
    """

    matrix_weights: int
    num_layers: int
    hidden_size: int

    @classmethod
    def of(cls, model: torch.nn.Module, num_layers: int, hidden_size: int) -> "FlopModel":
        """From the matrices of a model; those of a strategy's own modules see a few states, not every token."""
        weights = sum(
            module.weight.numel()
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear | Conv1D) and not name.startswith(f"{PARTS}.")
        )
        return cls(weights, num_layers, hidden_size)

    def forward(self, tokens: int, pairs: int) -> float:
        """Operations of one forward pass over a window of ``tokens`` with ``pairs`` query-key pairs a head."""
        return 2.0 * self.matrix_weights * tokens + 4.0 * self.num_layers * self.hidden_size * pairs

    def writing(self, read: int, written: int, beams: int = 1) -> float:
        """Operations of ``written`` further tokens behind ``read`` ones whose keys are kept, in each of ``beams``."""
        return beams * self.forward(written, written * read + written * (written + 1) // 2)

    def training(self, tokens: int, pairs: int, *, twice: bool = False) -> float:
        """Operations of forward and backward; ``twice`` where the forward pass is computed again for the gradient."""
        return (4.0 if twice else 3.0) * self.forward(tokens, pairs)


class MemoryMeter:
    """Highest memory since it was made: of the device where there is one, else of this process."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        if self._cuda:
            torch.cuda.reset_peak_memory_stats(device)
        else:
            _reset_process_peak()

    def peak_bytes(self) -> int:
        """Highest number of bytes so far."""
        return torch.cuda.max_memory_allocated() if self._cuda else _process_peak()


def _reset_process_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # Linux: forget the peak of an earlier job in this process


def _process_peak() -> int:
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
