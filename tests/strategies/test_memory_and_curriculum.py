"""The null parts change nothing at all; curricula grow as configured."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctxlab.core.errors import UserError
from ctxlab.data.sampler import plan_epoch
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.strategies.curriculum.by_document import ByDocument
from ctxlab.strategies.curriculum.constant import Constant
from ctxlab.strategies.curriculum.progressive import Progressive
from ctxlab.strategies.memory.none import NoMemory
from ctxlab.strategies.positions.dynamic_ntk import DynamicNtk
from ctxlab.strategies.positions.linear import Linear
from ctxlab.strategies.positions.ntk import Ntk
from ctxlab.strategies.positions.tile import Tile
from ctxlab.strategies.positions.yarn import Yarn
from tests.data.padding import padding_share


def test_no_memory_is_one_call_of_the_model():
    calls = []

    def forward(inputs):
        calls.append(inputs)
        return SimpleNamespace(logits=inputs["input_ids"] * 2)

    memory, inputs = NoMemory(), {"input_ids": torch.arange(3)}
    outputs, state = memory.step(forward, inputs, memory.start(2))
    assert calls == [inputs]
    assert outputs.tolist() == [0, 2, 4]
    assert state is None
    assert not memory.sequential


@pytest.mark.parametrize("part", [Constant(), ByDocument()])
def test_constant_and_by_document_never_grow(part):
    assert {part.length(progress / 10, 4096) for progress in range(11)} == {4096}


def test_progressive_grows_by_shares_of_the_budget():
    part = Progressive(lengths=[0.125, 0.5, 1.0], shares=[0.5, 0.3, 0.2])
    found = [part.length(progress, 4096) for progress in (0, 0.499, 0.5, 0.79, 0.8, 0.99, 1.0)]
    assert found == [512, 512, 2048, 2048, 4096, 4096, 4096]


@given(st.integers(16, 10_000), st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_progressive_never_shrinks_and_ends_with_the_whole(longest, places):
    lengths = [Progressive().length(progress, longest) for progress in [*sorted(places), 1.0]]
    assert lengths == sorted(lengths)
    assert lengths[-1] == longest
    assert all(16 <= length <= longest for length in lengths)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lengths": [0.5, 1.0]}, "2 stages"),
        ({"lengths": [1.0, 0.5, 0.2, 0.1]}, "must be increasing"),
        ({"lengths": [0.1, 0.2, 0.3, 0.4]}, "must be increasing"),
        ({"shares": [0.5, 0.5, 0.5, 0.5]}, "add up to 1"),
        ({"shares": [1.0, 0.5, -0.25, -0.25]}, "above 0"),
    ],
)
def test_stages_that_make_no_sense_are_refused(options, words):
    with pytest.raises(UserError, match=words):
        Progressive(**options)


def test_by_document_pads_less_than_pools():
    lengths = np.random.default_rng(0).integers(20, 2000, 3000).tolist()
    plans = {sorts: plan_epoch(lengths, 16_384, 1, 0, sort_all=sorts) for sorts in (False, True)}
    assert sorted(item for step in plans[True] for item in step) == list(range(3000))
    assert padding_share(lengths, plans[True]) < 0.5 * padding_share(lengths, plans[False])
    assert ByDocument().sorts


def test_tiled_positions_grow_from_what_was_learned():
    model = TinyBert(trained_length=32).build("token_classification", ["a", "b"])
    part = Tile()
    part.extend(model, 128)
    table = model.bert.embeddings.position_embeddings.weight
    with torch.no_grad():
        table[:64] += torch.randn(64, table.shape[1])  # the first stage has learned
    learned = table[:64].detach().clone()
    part.grow(model, 64, 128)
    assert torch.equal(table[:64], learned)
    assert torch.equal(table[64:128], learned)


@pytest.mark.parametrize("part", [Linear(), Ntk(), Yarn()])
def test_rotary_positions_are_scaled_only_as_far_as_the_stage_needs(part):
    """No scaling at the trained length, halfway the part's scaling for that length, and at the end as built."""

    def build(length):
        model = TinyLlama(trained_length=64).build("token_classification", ["a"], lambda c: part.configure(c, length))
        part.extend(model, length)
        return model.model.rotary_emb, model

    (rotary, model), (halfway, _), plain = build(256), build(128), TinyLlama().build("token_classification", ["a"])
    built = rotary.inv_freq.clone(), rotary.attention_scaling
    part.grow(model, 64, 64)
    assert torch.allclose(rotary.inv_freq, plain.model.rotary_emb.inv_freq, rtol=1e-6)
    assert rotary.attention_scaling == 1.0
    part.grow(model, 64, 128)
    assert torch.allclose(rotary.inv_freq, halfway.inv_freq, rtol=1e-5)
    assert rotary.attention_scaling == pytest.approx(halfway.attention_scaling)
    part.grow(model, 128, 256)
    assert torch.equal(rotary.inv_freq, built[0])
    assert rotary.attention_scaling == built[1]


def test_positions_that_adapt_to_the_length_are_left_alone():
    part = DynamicNtk()
    model = TinyLlama(trained_length=64).build("token_classification", ["a"], lambda c: part.configure(c, 256))
    part.extend(model, 256)
    before = model.model.rotary_emb.inv_freq.clone()
    part.grow(model, 64, 128)
    assert torch.equal(model.model.rotary_emb.inv_freq, before)
