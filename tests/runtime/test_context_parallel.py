"""A call of the model with a part of every window: which tokens, positions and masks it gets."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import RobertaConfig, RobertaForTokenClassification

from ctxlab.core.architecture import first_position
from ctxlab.core.passes import Item
from ctxlab.core.strategy import Strategy
from ctxlab.core.types import NO_LABEL, Window
from ctxlab.runtime.context_parallel import ProcessPart, join, split_call
from ctxlab.runtime.forward import Passes
from ctxlab.runtime.ranks import Ranks
from ctxlab.strategies.attention.local import Local
from ctxlab.strategies.memory.none import NoMemory
from ctxlab.strategies.positions.keep import Keep


class Recording(Local):
    """Takes the place of the installed pattern."""

    given = None

    @contextmanager
    def split(self, part, padding):
        self.given = part.index, padding
        yield


def test_windows_divide_into_equal_parts():
    part = ProcessPart(None, [4, 5, 6], 2)
    assert [part.width(tokens) for tokens in (1, 3, 4)] == [3, 3, 6]
    assert part.places(6) == slice(4, 6)
    with pytest.raises(ValueError, match="A window of 7 tokens does not divide into 3 equal parts"):
        part.places(7)


def test_the_model_gets_the_tokens_and_positions_of_the_part():
    attention, calls = Recording(window=1), []
    call = split_call(lambda inputs: calls.append(inputs), attention, ProcessPart(None, [0, 1], 1), first=2)
    mask = torch.tensor([[1, 1, 1, 1, 1, 0], [1, 0, 0, 0, 0, 0]])
    call({"input_ids": torch.arange(12).view(2, 6), "attention_mask": mask})
    assert calls[0]["input_ids"].tolist() == [[3, 4, 5], [9, 10, 11]]
    assert calls[0]["attention_mask"].tolist() == [[1, 1, 0], [0, 0, 0]]
    assert calls[0]["position_ids"].tolist() == [
        [5, 6, 6]
    ]  # none after the last token, for which a table may have none
    assert attention.given[1].tolist() == mask.bool().tolist()


def test_a_pass_counts_the_tokens_of_the_part():
    """Short windows are padded so that each part has as many tokens as the pattern reaches."""
    strategy = Strategy("s", SimpleNamespace(joins=False), Keep(), Local(window=4), NoMemory(), None)
    windows = [Window(np.arange(length), np.arange(length)) for length in (11, 3)]
    items = [Item(0, [w], labels=[np.arange(len(w))], marks=[np.zeros(len(w), np.int64)]) for w in windows]
    found = []
    for index in (0, 1):
        part = ProcessPart(None, [0, 1], index)

        def forward(inputs, part=part):
            own = part.places(inputs["input_ids"].shape[1])
            return SimpleNamespace(logits=inputs["input_ids"][:, own, None].float())

        passes = Passes(strategy, forward, pad_id=0, device=torch.device("cpu"), part=part)
        assert [passes.width(tokens) for tokens in (3, 8, 9)] == [8, 8, 10]
        found += list(passes.run(items))
    assert [(one.tokens, one.width) for one in found] == [(6 + 3, 6), (5, 6)]
    assert found[0].labels.tolist() == [[0, 1, 2, 3, 4, 5], [0, 1, 2, *[NO_LABEL] * 3]]
    assert found[1].labels.tolist() == [[6, 7, 8, 9, 10, NO_LABEL], [NO_LABEL] * 6]


def test_positions_begin_after_the_padding_index():
    config = RobertaConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=20
    )
    model = RobertaForTokenClassification(config).eval()
    ids = torch.arange(2, 12)[None]
    given = torch.arange(10)[None] + first_position(model)
    assert torch.equal(model(ids, position_ids=given).logits, model(ids).logits)


def test_without_parts_there_is_none():
    assert join(1, Ranks(0, 4)) is None
