import numpy as np
import pytest
import torch

from ctxlab.core.types import ADDED, NO_LABEL, Encoded, Window
from ctxlab.runtime.collate import collate, few_widths

ENCODED = Encoded(*(np.array(x) for x in ([7, 8, 9], [0, 0, 1], [2, NO_LABEL, 1])), (101,), (102,))
WHOLE = Window(np.array([101, 7, 8, 9, 102]), np.array([ADDED, 0, 1, 2, ADDED]))
PART = Window(np.array([101, 9, 102]), np.array([ADDED, 2, ADDED]))


def test_by_hand():
    batch = collate([PART, WHOLE], [w.labels(ENCODED) for w in (PART, WHOLE)], pad_id=5)
    assert {name: tensor.tolist() for name, tensor in batch.items()} == {
        "input_ids": [[101, 9, 102, 5, 5], [101, 7, 8, 9, 102]],
        "attention_mask": [[1, 1, 1, 0, 0], [1] * 5],
        "labels": [[-100, 1, -100, -100, -100], [-100, 2, -100, 1, -100]],
    }
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}


def test_without_labels_and_no_wider_than_needed():
    batch = collate([PART], None, pad_id=0)
    assert set(batch) == {"input_ids", "attention_mask"}
    assert batch["input_ids"].shape == (1, 3)


def test_the_batch_is_a_copy():
    batch = collate([PART], None, pad_id=0)
    batch["input_ids"][0, 0] = 0
    assert PART.input_ids[0] == 101


def test_labels_of_another_window_are_refused():
    with pytest.raises(ValueError, match="Row 0 has 5 labels for 3 tokens"):
        collate([PART], [WHOLE.labels(ENCODED)], pad_id=0)


def test_there_are_few_widths():
    widths = {few_widths(width, 10**6) for width in range(1, 4097)}
    assert len(widths) < 260  # 64 up to 64, then 32 for each doubling
    for width in (1, 63, 64, 65, 500, 3641, 4095):
        assert width <= few_widths(width, 10**6) <= width * (1 + 1 / 32)
    assert [few_widths(width, 10**6) for width in (64, 65, 3641)] == [64, 66, 3648]
    assert [few_widths(width, 3645) for width in (3600, 3641, 3645, 4001)] == [3645, 3645, 3645, 4001]


def test_least_width():
    batch = collate([Window(np.array([5, 6]), np.arange(2))], [np.array([1, 2])], 9, least=4)
    assert batch["input_ids"].tolist() == [[5, 6, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 0, 0]]
    assert batch["labels"].tolist() == [[1, 2, NO_LABEL, NO_LABEL]]
