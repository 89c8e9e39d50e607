"""As in the paper, on a tiny model trained for the purpose: memory carries a bit that chunking loses."""

import numpy as np
import pytest
import torch

from ctxlab.core.strategy import Strategy
from ctxlab.core.types import NO_LABEL, Encoded
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.strategies.memory.none import NoMemory
from ctxlab.strategies.memory.recurrent import Recurrent
from ctxlab.tasks.ner import NER
from tests.strategies.memory.memory_runs import passes, strategy

WINDOW, SIGNS, ASKED = 4, (10, 11), 12
STAGES = ((1, 60), (2, 60), (4, 60), (8, 60))
"""Windows of a document and steps: memory is learned over a few windows first, as the paper does."""


def document(num_windows: int, draw: np.random.Generator) -> Encoded:
    """One of two symbols, then noise, and last a token whose label is the first symbol."""
    ids = draw.integers(20, 30, num_windows * WINDOW)
    sign = int(draw.integers(2))
    ids[0], ids[-1] = SIGNS[sign], ASKED
    labels = np.full(len(ids), NO_LABEL)
    labels[-1] = 1 + sign
    return Encoded(ids, np.arange(len(ids)), labels)


def train(model, whole: Strategy, task: NER, draw: np.random.Generator) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for num_windows, steps in STAGES:
        for _ in range(steps):
            documents = [document(num_windows, draw) for _ in range(32)]
            loss = sum(task.loss(one.outputs, one.labels).total for one in passes(whole, model, documents)) / 32
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()


@torch.no_grad()
def accuracy(model, whole: Strategy, draw: np.random.Generator) -> float:
    """Share of 500 documents of eight windows that were answered right; chance is a half."""
    right = 0
    for one in passes(whole, model, [document(8, draw) for _ in range(500)]):
        asked = one.labels != NO_LABEL
        right += int((one.outputs.argmax(-1) == one.labels)[asked].sum())
    return right / 500


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "memory", "lowest", "highest"),
    [
        (TinyBert(dropout=0.0), Recurrent(2, 8), 0.95, 1.0),
        (TinyLlama(dropout=0.0), Recurrent(2, 8), 0.95, 1.0),
        (TinyBert(dropout=0.0), NoMemory(), 0.4, 0.6),
    ],
    ids=["encoder", "decoder", "chunk"],
)
def test_a_bit_is_carried_over_eight_windows(source, memory, lowest, highest):
    torch.manual_seed(0)
    task = NER(["ONE", "TWO"])
    task.labels = ["O", "ONE", "TWO"]
    model = source.build(task.head, task.labels)
    whole, draw = strategy(memory, WINDOW), np.random.default_rng(0)
    memory.install(model)
    train(model.train(), whole, task, draw)
    assert lowest <= accuracy(model.eval(), whole, draw) <= highest
