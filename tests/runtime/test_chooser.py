"""Scores of continuations against separate forward passes, whatever shares the batch."""

import numpy as np
import pytest
import torch

from ctxlab.core.generation import Continuations
from ctxlab.core.types import NO_LABEL, Window
from ctxlab.models.tiny_gpt2 import TinyGpt2
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.runtime.chooser import Chooser, plan_passes
from ctxlab.runtime.collate import collate

ONE, SEVERAL = ((7,), (9,), (200,)), ((7,), (9, 11, 12), (9, 11), (30, 31, 32, 33))
CASES = [Continuations(ONE), Continuations(SEVERAL), Continuations(SEVERAL, (3, 40))]


@pytest.fixture(scope="module", params=[TinyLlama, TinyGpt2])
def model(request):
    return request.param(hidden_size=32, num_layers=1).build("causal_lm", [])


def windows(*lengths):
    return [
        Window(np.random.default_rng(seed).integers(5, 200, n), np.arange(n)) for seed, n in enumerate(lengths, start=1)
    ]


def one_by_one(model, window, continuations):
    """Each token by a forward pass of its own over all before it."""
    sums = []
    for ids in continuations.token_ids:
        read, total = window.input_ids.tolist(), 0.0
        for token in ids:
            total += float(model(torch.tensor([read])).logits[0, -1].log_softmax(-1)[token])
            read.append(token)
        if continuations.ends:
            after = model(torch.tensor([read])).logits[0, -1].softmax(-1)
            total += float(np.log(sum(float(after[end]) for end in continuations.ends)))
        sums.append(total)
    return sums


def chosen(model, part, continuations):
    inputs = collate(part, [np.full(len(w), NO_LABEL) for w in part], 0)
    inputs.pop("labels")
    return Chooser(model, continuations)(**inputs).logits


@torch.inference_mode()
@pytest.mark.parametrize("continuations", CASES)
def test_sums_are_those_of_a_loop_of_forward_passes(model, continuations):
    part = windows(6, 17, 1, 30)
    expected = np.array([one_by_one(model, window, continuations) for window in part])
    together = chosen(model, part, continuations).numpy()
    alone = np.concatenate([chosen(model, [window], continuations).numpy() for window in part])
    assert np.abs(together - expected).max() < 1e-4
    assert np.abs(alone - together).max() < 1e-4


@torch.inference_mode()
def test_logits_are_exact_where_the_rest_is_not(model):
    (window,) = windows(9)
    with torch.autocast("cpu", torch.bfloat16):
        found = chosen(model, [window], CASES[0])
        states = model.base_model(torch.tensor(window.input_ids)[None]).last_hidden_state[0, -1]
    logs = (model.get_output_embeddings().weight @ states.float()).log_softmax(-1)
    assert found.dtype == torch.float32
    assert (found[0] - logs[torch.tensor(ONE)[:, 0]]).abs().max() < 1e-5


def test_continuations_of_one_token_take_one_pass(model):
    calls = []
    handle = model.register_forward_hook(lambda *_: calls.append(1))
    try:
        with torch.inference_mode():
            chosen(model, windows(5), CASES[0])
            assert len(calls) == 1
            chosen(model, windows(5), CASES[1])
            assert len(calls) == 1 + 2
    finally:
        handle.remove()


def test_a_continuation_that_begins_another_shares_its_pass():
    assert plan_passes([(), (1,), (1, 2), (3,), (1,)]) == [((1, 2), [0, 1, 2, 4]), ((3,), [3])]
    assert plan_passes([(), ()]) == [((), [0, 1])]
