"""Collating windows into tensors.

Shape legend: B windows, W tokens of the longest one.
"""

from collections.abc import Sequence

import torch

from ctxlab.core.types import NO_LABEL, IntArray, Window


def collate(
    windows: Sequence[Window],
    labels: Sequence[IntArray] | None,
    pad_id: int,
    marks: Sequence[IntArray] | None = None,
) -> dict[str, torch.Tensor]:
    """Return ``input_ids``, ``attention_mask`` and, if given, ``labels`` and ``marks``: int64 (B, W), right-padded.

    Args:
        windows: At least one window.
        labels: One label per token of each window (``Window.labels``).
        pad_id: Token id of the padding; its attention mask is 0, its label ``NO_LABEL`` and its mark 0.
        marks: One mark per token of each window (``Window.marks``).

    Raises:
        ValueError: A row of labels differs from its window in length.
    """
    shape = (len(windows), max(map(len, windows)))
    batch = {
        "input_ids": torch.full(shape, pad_id, dtype=torch.int64),
        "attention_mask": torch.zeros(shape, dtype=torch.int64),
    }
    for row, window in enumerate(windows):
        batch["input_ids"][row, : len(window)] = torch.from_numpy(window.input_ids)
        batch["attention_mask"][row, : len(window)] = 1
    for name, values, absent in (("labels", labels, NO_LABEL), ("marks", marks, 0)):
        if values is not None:
            batch[name] = torch.full(shape, absent, dtype=torch.int64)
            _fill(batch[name], name, windows, values)
    return batch


def right_pad(rows: Sequence[IntArray], value: int, least: int = 0) -> torch.Tensor:
    """Return int64 (B, T): rows of different lengths, right-padded with ``value``; T is at least ``least``."""
    padded = torch.full((len(rows), max(least, *map(len, rows))), value, dtype=torch.int64)
    for row, ids in enumerate(rows):
        padded[row, : len(ids)] = torch.from_numpy(ids)
    return padded


def _fill(target: torch.Tensor, name: str, windows: Sequence[Window], values: Sequence[IntArray]) -> None:
    for row, (window, value) in enumerate(zip(windows, values, strict=True)):
        if len(value) != len(window):
            raise ValueError(f"Row {row} has {len(value)} {name} for {len(window)} tokens.")
        target[row, : len(window)] = torch.from_numpy(value)
