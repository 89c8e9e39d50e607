"""The precision of verify: casts to single precision inside a model are suppressed, and nothing else changes."""

import torch
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.models.t5.modeling_t5 import T5LayerNorm

from ctxlab.verification.precision import KeepDouble


def answers(norm, states):
    with torch.no_grad():
        return norm(states), norm(states + 1e-11)


def test_an_influence_that_single_precision_rounds_away_is_kept():
    states = torch.linspace(1, 2, 16, dtype=torch.float64)[None]
    norm = LlamaRMSNorm(16).double()
    assert torch.equal(*answers(norm, states))
    with KeepDouble():
        one, other = answers(norm, states)
    assert one.dtype == torch.float64
    assert not torch.equal(one, other)


def test_the_norm_is_the_closed_formula():
    states = torch.randn(4, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = states / (states.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    for norm in (LlamaRMSNorm(16, eps=1e-6).double(), T5LayerNorm(16, eps=1e-6).double()):
        with KeepDouble(), torch.no_grad():
            assert torch.allclose(norm(states), expected, rtol=1e-14, atol=0)


def test_a_product_has_the_higher_precision_and_single_precision_stays():
    fine, coarse = torch.eye(3, dtype=torch.float64), torch.eye(3)
    with KeepDouble():
        assert (fine @ coarse).dtype == torch.float64
        assert (coarse @ coarse).dtype == torch.float32
        assert coarse.half().dtype == torch.float16
