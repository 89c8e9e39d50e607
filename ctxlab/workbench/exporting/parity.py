"""Parity: how far the outputs of an exported model are from the run's, on windows of every length and on documents.

Shape legend: B windows, W tokens of the longest one, C outputs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ctxlab.core.strategy import Attention
from ctxlab.runtime.exported_model import Outputs

TOLERANCE = 1e-4
"""Largest difference of an output that is allowed."""

LENGTHS = (1, 2, 127, 128, 129, 777)
"""Tokens of windows that are tried, besides the longest ones: around a block, and far from its multiples."""

LONGEST_TRIED = 4096
"""Tokens above which windows take too long to be tried by themselves; documents may have longer ones."""

BATCHES = (1, 2)
"""Windows of a pass; of two, the second is padded to twice its tokens."""


@dataclass(slots=True)
class Difference:
    """What has been compared so far."""

    largest: float = 0.0
    """Largest absolute difference of an output."""
    flips: int = 0
    """Tokens, or windows of heads with one output per window, whose largest output is another one."""
    compared: int = 0
    """Tokens or windows."""

    def add(self, one: torch.Tensor, other: torch.Tensor, shown: torch.Tensor) -> None:
        """Compare outputs (B, W, C), or (B, C), where ``shown`` (B, W) is True."""
        if one.ndim == 3:
            one, other = one[shown], other[shown]
        self.largest = max(self.largest, float((one.float() - other.float()).abs().max()))
        self.flips += int((one.argmax(-1) != other.argmax(-1)).sum())
        self.compared += len(one)

    @property
    def within(self) -> bool:
        """Whether nothing has flipped or differs by more than ``TOLERANCE``."""
        return self.flips == 0 and self.largest <= TOLERANCE


class Compared(torch.nn.Module):
    """Runs two models on the same windows and returns the outputs of the first one."""

    def __init__(self, model: Any, other: Any) -> None:
        """Take the run's model and the exported one."""
        super().__init__()
        self.model, self.other, self.config = model, other, model.config
        self.difference = Difference()

    def forward(self, **inputs: torch.Tensor) -> Outputs:
        """Compare the outputs of a pass."""
        found, exported = self.model(**inputs).logits, self.other(**inputs).logits
        self.difference.add(found, exported, inputs["attention_mask"].bool())
        return Outputs(found)


def lengths(longest: int) -> list[int]:
    """Return the lengths that are tried by themselves."""
    return [length for length in LENGTHS if length < longest] + [min(longest, LONGEST_TRIED)]


def try_lengths(model: Any, other: Any, attention: Attention, longest: int, vocabulary: int) -> Difference:
    """Compare two models on windows of random tokens.

    Args:
        model: The run's, on the CPU in fp32.
        other: The exported one.
        attention: Part that is installed in ``model``.
        longest: Tokens of the longest window.
        vocabulary: Number of token ids.
    """
    compared = Compared(model, other).eval()
    with torch.inference_mode(), attention.reading():
        for inputs in _windows(lengths(longest), vocabulary):
            compared(**inputs)
    return compared.difference


def _windows(wanted: list[int], vocabulary: int) -> Iterator[Mapping[str, torch.Tensor]]:
    draw = torch.Generator().manual_seed(0)
    for length in wanted:
        for rows in BATCHES:
            ids = torch.randint(vocabulary, (rows, length), generator=draw)
            shown = torch.ones_like(ids)
            shown[1:, (length + 1) // 2 :] = 0
            yield {"input_ids": ids, "attention_mask": shown}
