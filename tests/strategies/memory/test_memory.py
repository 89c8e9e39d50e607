"""Contract of all memories: nothing crosses documents, padding and batch neighbours change nothing, reach is as
declared."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from ctxlab.core.errors import UserError
from ctxlab.strategies.memory.recurrent import Recurrent
from ctxlab.strategies.memory.segment_cache import SegmentCache
from ctxlab.strategies.memory.sinks import Sinks
from tests.strategies.memory.memory_runs import document, installed, read

W = 6
CASES = {
    "recurrent-bert": ("bert", lambda: Recurrent(3)),
    "recurrent-roberta": ("roberta", lambda: Recurrent(3)),
    "recurrent-distilbert": ("distilbert", lambda: Recurrent(1)),
    "recurrent-modernbert": ("modernbert", lambda: Recurrent(3)),
    "recurrent-gpt2": ("gpt2", lambda: Recurrent(3)),
    "recurrent-llama": ("llama", lambda: Recurrent(2)),
    "no-tokens": ("bert", lambda: Recurrent(0)),
    "window": ("llama", lambda: SegmentCache()),
    "less": ("llama", lambda: SegmentCache(2)),
    "more": ("llama", lambda: SegmentCache(8)),
    "sinks": ("llama", lambda: Sinks(2, 4)),
    "wide-sinks": ("llama", lambda: Sinks(7, 8)),
    "no-sinks": ("llama", lambda: Sinks(0, 3)),
}


@pytest.fixture(params=CASES)
def case(request, tiny):
    """A model and its strategy in windows of six tokens."""
    kind, memory = CASES[request.param]
    model = tiny(kind)
    return model, installed(model, memory(), W)


@settings(max_examples=25, deadline=None)
@given(lengths=st.lists(st.integers(1, 31), min_size=2, max_size=4), frame=st.booleans(), length=st.integers(7, 40))
def check_company(model, whole, lengths, frame, length):
    special = {"before": (2,), "after": (3,)} if frame else {}
    documents = [document(num, seed, **special) for seed, num in enumerate(lengths)]
    together = read(whole, model, documents, length)
    for one, outputs in zip(documents, together, strict=True):
        assert_close(outputs, read(whole, model, [one], length)[0], atol=1e-4, rtol=1e-3)


@pytest.mark.by_default("recurrent-bert", "recurrent-gpt2", "window", "more", "sinks")
def test_batch_neighbours_and_padding_change_nothing(case):
    """Documents of different lengths in one batch: 25 random shapes for each of thirteen cases."""
    check_company(*case)


def test_a_sequence_of_windows_restarts_at_the_context(case):
    model, whole = case
    one, other = document(25, 0), document(25, 1)
    mixed = document(25, 0)
    mixed.input_ids[:12] = other.input_ids[:12]
    outputs, changed = read(whole, model, [one], 12)[0], read(whole, model, [mixed], 12)[0]
    assert_close(outputs[12:], changed[12:], atol=0, rtol=0)


@pytest.mark.by_default("recurrent-bert", "recurrent-gpt2", "window", "more", "sinks")
def test_reach_is_as_declared(case):
    """One window's tokens are changed; compare which windows' outputs change."""
    model, whole = case
    num_windows, num_layers = 7, model.config.num_hidden_layers
    base = document(num_windows * W, 0)
    outputs = read(whole, model, [base])[0].view(num_windows, -1)
    felt = np.zeros((num_windows, num_windows), dtype=bool)
    for column in range(num_windows):
        other = document(num_windows * W, 0)
        other.input_ids[column * W : (column + 1) * W] = document(W, column + 50).input_ids
        change = (read(whole, model, [other])[0].view(num_windows, -1) - outputs).abs().amax(1)
        felt[:, column] = change.numpy() > 1e-6
    assert (felt == whole.memory.reach(num_windows, num_layers)).all(), felt.astype(int)


def test_the_saved_config_says_what_is_installed(case):
    model, whole = case
    assert model.config.ctxlab["memory"]["name"] == type(whole.memory).__module__.rsplit(".", 1)[-1]


def test_dropout_and_training_mode_survive_installation(tiny):
    for kind, memory in CASES.values():
        model = tiny(kind).train()
        installed(model, memory(), W)
        assert model.training


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: Recurrent(-1), "num_tokens=-1"),
        (lambda: Recurrent(2, bptt_windows=0), "bptt_windows=0"),
        (lambda: SegmentCache(0), "tokens=0"),
        (lambda: SegmentCache(-3), "tokens=-3"),
        (lambda: Sinks(-1), "num_sinks=-1"),
        (lambda: Sinks(4, 0), "window=0"),
    ],
)
def test_what_makes_no_sense_is_refused(make, parts):
    with pytest.raises(UserError, match=parts) as caught:
        make()
    assert str(caught.value).count(". ") == 0


@pytest.mark.parametrize("kind", ["electra", "albert"])
def test_recurrent_needs_hidden_states_as_wide_as_embeddings(kind, tiny):
    with pytest.raises(UserError, match=r"memory=recurrent does not work with.*hidden states.*use strategy=chunk"):
        Recurrent(2).install(tiny(kind))


def test_recurrent_needs_embeddings_that_stand_in_for_ids(tiny):
    class Blind(type(tiny("bert"))):
        """Takes token ids only, no embeddings."""

        def forward(self, input_ids, attention_mask=None):
            return super().forward(input_ids, attention_mask)

    with pytest.raises(UserError, match=r"memory=recurrent does not work with model type `bert`"):
        Recurrent(2).install(Blind(tiny("bert").config))


@pytest.mark.parametrize("make", [SegmentCache, Sinks])
def test_a_model_without_a_cache_is_refused(make, tiny):
    class Forgetful(type(tiny("llama"))):
        """Accepts a cache and leaves it empty."""

        def forward(self, input_ids, attention_mask=None, past_key_values=None, **given):
            return super().forward(input_ids)

    with pytest.raises(UserError, match=r"does not work with model type `llama`"):
        make().install(Forgetful(tiny("llama").config))


@pytest.mark.parametrize("make", [SegmentCache, Sinks])
@pytest.mark.parametrize("kind", ["dynamic", "longrope"])
def test_angles_that_change_with_the_length_are_refused(make, kind, tiny):
    model = tiny("llama")
    model.config.rope_parameters["rope_type"] = kind
    with pytest.raises(UserError, match=rf"type {kind} .*use strategy/positions=yarn"):
        make().install(model)


@pytest.mark.parametrize("make", [SegmentCache, Sinks])
def test_no_gradient_flows_into_a_cache(make, tiny):
    model = tiny("llama")
    whole = installed(model, make(), W)
    ids = torch.arange(5, 5 + W)[None]
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    outputs, state = whole.memory.step(lambda given: model(**given), inputs, whole.memory.start(1))
    assert outputs.requires_grad
    assert not any(part.requires_grad for layer in state.layers for part in layer)
