"""Matrix units: products in the backward pass, and spare keys, against attention in float64, written out."""

import math
from types import SimpleNamespace
from unittest import mock

import pytest
import torch
from torch.testing import assert_close

from ctxlab.strategies.attention.kernels import blocks, blockwise, products
from ctxlab.strategies.attention.kernels.products import products_sdpa
from ctxlab.strategies.attention.local import Local

BLOCKS, HEADS, QUERIES, KEYS, WIDTH = 7, 6, 10, 21, 8


def written_out(query, key, value, mask, scaling):
    """Attention of the textbook: every query head has its own copy of its key head."""
    groups = query.shape[1] // key.shape[1]
    key, value = (part.repeat_interleave(groups, 1) for part in (key, value))
    scores = torch.einsum("nhqd,nhsd->nhqs", query, key) * scaling + mask
    return torch.einsum("nhqs,nhsd->nhqd", scores.exp() / scores.exp().sum(-1, keepdim=True), value)


def gradients(attend, inputs, upstream):
    leaves = [part.clone().requires_grad_() for part in inputs]
    output = attend(*leaves)
    output.backward(upstream.to(output.dtype))
    return [output.detach().double(), *(leaf.grad.double() for leaf in leaves)]


@pytest.mark.parametrize("scaling", [None, 0.7])
@pytest.mark.parametrize("mask_heads", [1, HEADS])
@pytest.mark.parametrize("key_heads", [HEADS, 2, 1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("scores", [(1, 400), (1, 2**23), (3000, 2**23), (2**21, 2**23)])
def test_gradients_are_those_of_the_textbook(scores, dtype, key_heads, mask_heads, scaling, monkeypatch):
    """In products of three queries, of one block, of a few with a remainder, and of all at once."""
    monkeypatch.setattr(products, "SCORES_PER_PRODUCT", scores[0])
    monkeypatch.setattr(products, "MOST_SCORES_OF_A_BLOCK", scores[1])
    torch.manual_seed(0)
    shapes = [(QUERIES, HEADS), (KEYS, key_heads), (KEYS, key_heads)]
    # Tokens before heads in memory, as models have them.
    inputs = [torch.randn(BLOCKS, tokens, heads, WIDTH).to(dtype).transpose(1, 2) for tokens, heads in shapes]
    hidden = torch.rand(BLOCKS, mask_heads, QUERIES, KEYS) < 0.4
    hidden[..., 0] = False
    mask = torch.zeros(hidden.shape, dtype=dtype).masked_fill(hidden, -math.inf)
    upstream = torch.randn(BLOCKS, QUERIES, HEADS, WIDTH).to(dtype).transpose(1, 2)
    found = gradients(lambda *parts: products_sdpa(*parts, mask, scaling), inputs, upstream)
    factor = WIDTH**-0.5 if scaling is None else scaling
    expected = gradients(
        lambda *parts: written_out(*parts, mask.double(), factor), [part.double() for part in inputs], upstream
    )
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours, theirs, atol=2e-5 if dtype == torch.float32 else 0.04 * float(theirs.abs().max()), rtol=0)


@pytest.fixture
def matrix_units(monkeypatch):
    """As on a CPU that has them, whatever this one is."""
    monkeypatch.setattr(products, "has_matrix_units", lambda device: device.type == "cpu")
    monkeypatch.setattr(blocks, "has_matrix_units", lambda device: device.type == "cpu")


@pytest.mark.parametrize("causal", [False, True])
def test_a_local_layer_on_matrix_units(causal, matrix_units):
    """Spare keys and products together: 900 tokens in blocks of 160 with 150 keys on each side and a global one."""
    part, module = Local(150), SimpleNamespace(is_causal=causal)
    torch.manual_seed(1)
    inputs = [torch.randn(2, 900, heads, WIDTH).bfloat16().transpose(1, 2) for heads in (4, 2, 2)]
    upstream = torch.randn(2, 4, 900, WIDTH).bfloat16()
    with mock.patch.object(blockwise, "product_gradients", wraps=products.product_gradients) as used:
        found = gradients(lambda *parts: part._attend(module, *parts, None)[0].transpose(1, 2), inputs, upstream)
    assert {call.args[2].shape[2] for call in used.call_args_list} == ({320} if causal else {480, 900})
    token = torch.arange(900)
    seen = part.allowed(token[:, None], token[None], 900) & (token[:, None] >= token[None] if causal else True)
    mask = torch.zeros(900, 900, dtype=torch.float64).masked_fill(~seen, -math.inf)
    expected = gradients(
        lambda *parts: written_out(*parts, mask, WIDTH**-0.5), [part.double() for part in inputs], upstream
    )
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours, theirs, atol=0.05 * max(1.0, float(theirs.abs().max())), rtol=0)


def test_spare_keys_are_few_and_only_where_they_pay(matrix_units):
    cpu, other = torch.device("cpu"), torch.device("meta")
    assert [products.spare_keys(keys, cpu) for keys in (1, 41, 255, 256, 257, 385, 416)] == [0, 0, 0, 0, 31, 31, 0]
    assert products.spare_keys(385, other) == 0


def test_when_products_are_taken(matrix_units):
    """Not in inference, with dropout, in fp32, or where the scores of one block would fill the memory."""
    short, long = (torch.empty(1, 12, tokens, 32, dtype=torch.bfloat16, device="cpu") for tokens in (128, 70_000))
    assert products.takes_products(short, short, 0.0)
    assert not products.takes_products(short, short, 0.1)
    assert not products.takes_products(short.float(), short.float(), 0.0)
    assert not products.takes_products(short, long, 0.0)
    with torch.no_grad():
        assert not products.takes_products(short, short, 0.0)
