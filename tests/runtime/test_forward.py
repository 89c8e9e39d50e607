"""Targets are placed where the library's models expect them: losses against those that the library computes itself."""

import numpy as np
import pytest
import torch

from ctxlab.command.compose import compose
from ctxlab.core.passes import Item
from ctxlab.core.types import ADDED, NO_LABEL, Encoded, Window
from ctxlab.models.tiny_gpt2 import TinyGpt2
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.models.tiny_t5 import TinyT5
from ctxlab.runtime.forward import AFTER_WINDOW, IN_DECODER, Passes, append_target, make_items, model_call
from ctxlab.tasks.forms import vocabulary
from ctxlab.tasks.lm import next_tokens
from ctxlab.workbench.parts import make_strategy


def item(read, target):
    ids, labels = np.array(read), np.full(len(read), NO_LABEL)
    return Item(0, [Window(ids, np.arange(len(ids)))], [labels], [np.zeros_like(ids)], [np.array(target)])


ITEMS = [item([7, 21, 30, 9, 14], [40, 41, 3]), item([8, 6], [50]), item([5, 6, 7, 8, 9, 10, 11], [60, 61, 62, 63, 3])]


def loss(model, target_place, items):
    """The loss in training: (nats, tokens)."""
    strategy = make_strategy(compose("train", ["strategy=chunk"]).strategy)
    passes = Passes(strategy, model_call(model), 0, torch.device("cpu"), target_place)
    found = [vocabulary.cross_entropy(passed.outputs, passed.labels) for passed in passes.run(items)]
    return sum(float(one.total) for one in found), sum(float(one.weight) for one in found)


@pytest.mark.by_default(1)
@torch.inference_mode()
@pytest.mark.parametrize("source", [TinyGpt2, TinyLlama])
def test_a_decoder_reads_on_into_its_target(source):
    """The library shifts by itself: labels stand at their own tokens."""
    model = source(hidden_size=32, num_layers=2).build("causal_lm", [])
    expected = 0.0
    for one in ITEMS:
        read, target = one.windows[0].input_ids.tolist(), one.targets[0].tolist()
        labels = [-100] * len(read) + target
        mean = model(torch.tensor([read + target]), labels=torch.tensor([labels])).loss
        expected += float(mean) * len(target)
    nats, tokens = loss(model, AFTER_WINDOW, ITEMS)
    assert nats == pytest.approx(expected, rel=1e-5)
    assert tokens == 9


@torch.inference_mode()
def test_an_encoder_decoder_is_given_its_target_one_place_later():
    model = TinyT5(hidden_size=32, num_layers=2).build("seq2seq_lm", [])
    expected = 0.0
    for one in ITEMS:
        inputs, labels = torch.tensor(one.windows[0].input_ids)[None], torch.tensor(one.targets[0])[None]
        expected += float(model(inputs, labels=labels).loss) * labels.shape[1]
    nats, tokens = loss(model, IN_DECODER, ITEMS)
    assert nats == pytest.approx(expected, rel=1e-5)
    assert tokens == 9


@torch.inference_mode()
def test_a_language_model_is_asked_for_the_next_token_of_each():
    model = TinyLlama(hidden_size=32, num_layers=2).build("causal_lm", [])
    ids = np.array([7, 21, 30, 9, 14, 3])
    expected = float(model(torch.tensor(ids)[None], labels=torch.tensor(ids)[None]).loss) * (len(ids) - 1)
    encoded = Encoded(ids, np.arange(len(ids)), next_tokens(ids))
    items = make_items(0, encoded, [Window(ids, np.arange(len(ids)))])
    nats, tokens = loss(model, None, items)
    assert nats == pytest.approx(expected, rel=1e-5)
    assert tokens == 5


def test_a_target_by_hand():
    window, labels = append_target(Window(np.array([7, 8, 9]), np.arange(3)), np.array([40, 41, 42]))
    assert window.input_ids.tolist() == [7, 8, 9, 40, 41]
    assert window.token_index.tolist() == [0, 1, 2, ADDED, ADDED]
    assert labels.tolist() == [-100, -100, 40, 41, 42]
