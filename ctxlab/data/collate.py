"""Windows to tensors.

Shape legend: B windows, W tokens of the longest one.
"""

from collections.abc import Sequence

import torch

from ctxlab.core.types import NO_LABEL, IntArray, Window


def collate(windows: Sequence[Window], labels: Sequence[IntArray] | None, pad_id: int) -> dict[str, torch.Tensor]:
    """``input_ids``, ``attention_mask`` and, if given, ``labels``: int64 (B, W), padded behind to the longest window.

    Args:
        windows: What the model is to see, at least one window.
        labels: One label per token of each window (``Window.labels``).
        pad_id: Token id of the padding; its attention mask is 0 and its label ``NO_LABEL``.

    Raises:
        ValueError: A row of labels is not as long as its window.
    """
    shape = (len(windows), max(map(len, windows)))
    batch = {
        "input_ids": torch.full(shape, pad_id, dtype=torch.int64),
        "attention_mask": torch.zeros(shape, dtype=torch.int64),
    }
    for row, window in enumerate(windows):
        batch["input_ids"][row, : len(window)] = torch.from_numpy(window.input_ids)
        batch["attention_mask"][row, : len(window)] = 1
    if labels is not None:
        batch["labels"] = torch.full(shape, NO_LABEL, dtype=torch.int64)
        for row, (window, label) in enumerate(zip(windows, labels, strict=True)):
            if len(label) != len(window):
                raise ValueError(f"Row {row} has {len(label)} labels for {len(window)} tokens.")
            batch["labels"][row, : len(window)] = torch.from_numpy(label)
    return batch
