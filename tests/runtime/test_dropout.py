"""Dropout by words: rate, gradient, seeds and independence, against closed formulas and the library."""

import pytest
import torch
from torch import nn

from ctxlab.models.tiny_bert import TinyBert
from ctxlab.runtime.dropout import WordDropout, use_words


def masks(rate, shape, seed=0):
    torch.manual_seed(seed)
    return WordDropout(rate).train()(torch.ones(shape)) > 0


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.9])
def test_the_realised_rate_is_the_wanted_one(rate):
    count = 4_000_000
    dropped = 1 - masks(rate, (count,)).float().mean().item()
    assert abs(dropped - rate) < 1e-4 + 4 * (rate * (1 - rate) / count) ** 0.5


@pytest.mark.parametrize("place", range(4))
def test_every_word_of_a_draw_drops_alike(place):
    """A generator that draws fewer than 64 random bits would favour some of the words."""
    dropped = 1 - masks(0.3, (1_000_000, 4))[:, place].float().mean().item()
    assert abs(dropped - 0.3) < 4 * (0.3 * 0.7 / 1_000_000) ** 0.5


def test_neighbours_are_independent():
    kept = masks(0.4, (2_000_000,)).float()
    for step in (1, 2, 3, 4, 8):
        both = (kept[step:] * kept[:-step]).mean().item()
        assert abs(both - 0.36) < 4 * (0.36 * 0.64 / 2_000_000) ** 0.5 * 2


def test_values_are_scaled_and_the_gradient_has_the_same_mask():
    torch.manual_seed(3)
    values = torch.randn(33, 7, requires_grad=True)
    out = WordDropout(0.2).train()(values)
    kept = out != 0
    assert torch.allclose(out, values * kept / 0.8)
    upstream = torch.randn_like(out)
    out.backward(upstream)
    assert torch.allclose(values.grad, upstream * kept / 0.8)


def test_masks_follow_the_seed_and_not_the_threads():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = masks(0.1, (1000, 384), seed=5)
        torch.set_num_threads(2)
        assert torch.equal(one, masks(0.1, (1000, 384), seed=5))
        assert not torch.equal(one, masks(0.1, (1000, 384), seed=6))
    finally:
        torch.set_num_threads(before)


def test_nothing_is_dropped_in_evaluation_or_at_rate_0():
    values = torch.randn(50, 3)
    assert torch.equal(WordDropout(0.5).eval()(values), values)
    assert torch.equal(WordDropout(0.0).train()(values), values)
    assert not WordDropout(1.0).train()(values).any()


def test_every_dropout_of_a_model_is_replaced():
    model = TinyBert(dropout=0.1).build("token_classification", ["a", "b"])
    before = sum(type(module) is nn.Dropout for module in model.modules())
    model.eval()
    use_words(model)
    found = [module for module in model.modules() if isinstance(module, nn.Dropout)]
    assert before == len(found) > 0
    assert all(type(module) is WordDropout and not module.training for module in found)
