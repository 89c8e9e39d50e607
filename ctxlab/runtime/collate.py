"""Collating windows into tensors.

Shape legend: B windows, W tokens of the longest one, F numbers of a token.
"""

from collections.abc import Sequence

import numpy as np
import torch

from ctxlab.core.numbers import NUMBERS
from ctxlab.core.types import NO_LABEL, FloatArray, IntArray, Window

WIDTH_BITS = 6
"""Significant bits of a width in training: at most 1/32 of a pass is padding for it."""


def few_widths(width: int, longest: int) -> int:
    """Round a width up to one of few, so that tensors of one step fit into the memory that those of others left.

    Otherwise passes of ever different widths leave holes on the heap, which grow for hundreds of steps (by a third of
    the memory of a longformer at 4,096 tokens, see docs/speed.md).

    Args:
        width: Tokens of the longest window of a pass.
        longest: Width up to which is rounded at most; a width that is larger stays.
    """
    step = 1 << max(width.bit_length() - WIDTH_BITS, 0)
    return max(width, min(-(-width // step) * step, longest))


def collate(
    windows: Sequence[Window],
    labels: Sequence[IntArray] | None,
    pad_id: int,
    marks: Sequence[IntArray] | None = None,
    least: int = 0,
    numbers: Sequence[FloatArray] = (),
) -> dict[str, torch.Tensor]:
    """Return ``input_ids``, ``attention_mask`` and, if given, ``labels`` and ``marks``: int64 (B, W), right-padded.

    Where tokens have numbers there are ``numbers``, too: float32 (B, W, F), 0 for padding.

    Args:
        windows: At least one window.
        labels: One label per token of each window (``Window.labels``).
        pad_id: Token id of the padding; its attention mask is 0, its label ``NO_LABEL`` and its mark 0.
        marks: One mark per token of each window (``Window.marks``).
        least: W is at least this.
        numbers: Numbers of each window's tokens (``Window.numbers``); those of a text that follows a window are 0.

    Raises:
        ValueError: A row of labels differs from its window in length.
    """
    batch = {
        "input_ids": right_pad([window.input_ids for window in windows], pad_id, least),
        "attention_mask": right_pad([np.ones(len(window), np.int64) for window in windows], 0, least),
    }
    for name, values, absent in (("labels", labels, NO_LABEL), ("marks", marks, 0)):
        if values is not None:
            for row, (window, value) in enumerate(zip(windows, values, strict=True)):
                if len(value) != len(window):
                    raise ValueError(f"Row {row} has {len(value)} {name} for {len(window)} tokens.")
            batch[name] = right_pad(values, absent, least)
    if any(rows.shape[1] for rows in numbers):
        batch[NUMBERS] = _pad_numbers(numbers, batch["input_ids"].shape[1])
    return batch


def _pad_numbers(rows: Sequence[FloatArray], width: int) -> torch.Tensor:
    """Return (B, W, F): numbers of each window's tokens, followed by 0 up to ``width`` tokens."""
    padded = np.zeros((len(rows), width, rows[0].shape[1]), np.float32)
    for row, values in zip(padded, rows, strict=True):
        row[: len(values)] = values
    return torch.from_numpy(padded)


def right_pad(rows: Sequence[IntArray], value: int, least: int = 0) -> torch.Tensor:
    """Return int64 (B, T): rows of different lengths, right-padded with ``value``; T is at least ``least``."""
    padded = np.full((len(rows), max(least, *map(len, rows))), value, dtype=np.int64)
    for row, ids in zip(padded, rows, strict=True):
        row[: len(ids)] = ids
    return torch.from_numpy(padded)
