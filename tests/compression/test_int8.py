"""``compression=int8``: against the definition in double precision, by the kernel and by what stands in for it."""

import pytest
import torch

from ctxlab.core.errors import UserError
from ctxlab.models.loading.reduced import int8
from ctxlab.models.loading.reduced.int8 import Int8Linear
from tests.compression.made import compress, logits, reloaded, tiny


def by_definition(weight, bias, inputs):
    """The oracle, in double precision: both factors rounded to multiples of their scale."""
    scale = weight.double().abs().amax(1, keepdim=True) / 127
    rounded = torch.round(weight.double() / scale) * scale
    step = inputs.double().abs().amax(-1, keepdim=True) / 63
    return torch.round(inputs.double() / step) * step @ rounded.T + bias.double()


@pytest.mark.parametrize("kernel", [True, False])
@pytest.mark.parametrize("shape", [(2, 7, 16), (1, 1, 16), (5, 16)])
def test_it_is_the_definition(kernel, shape, monkeypatch):
    if kernel and not int8.has_kernel():
        pytest.skip("torch was built without the kernel")
    monkeypatch.setattr(int8, "has_kernel", lambda: kernel)
    torch.manual_seed(0)
    linear, inputs = torch.nn.Linear(16, 24), torch.randn(shape)
    found = Int8Linear.of(linear)(inputs)
    assert found.dtype == torch.float32
    assert torch.allclose(found.double(), by_definition(linear.weight, linear.bias, inputs), atol=1e-5)
    assert torch.allclose(found, linear(inputs), atol=0.05)
    assert not torch.allclose(found, linear(inputs), atol=1e-5)


def test_large_factors_do_not_overflow():
    """Sums of two products of 8 bits overflow 16 bits in kernels of older CPUs, unless inputs have 7 bits."""
    linear, inputs = torch.nn.Linear(512, 8, bias=False), torch.ones(3, 512)
    torch.nn.init.ones_(linear.weight)
    assert torch.allclose(Int8Linear.of(linear)(inputs), torch.full((3, 8), 512.0), rtol=1e-6)


def test_a_token_depends_on_no_other():
    torch.manual_seed(0)
    layer, inputs = Int8Linear.of(torch.nn.Linear(16, 8)), torch.randn(4, 6, 16)
    whole = layer(inputs)
    inputs[0, 0] *= 1000
    assert torch.equal(layer(inputs)[0, 1:], whole[0, 1:])
    assert torch.equal(layer(inputs[2:3, :3]), whole[2:3, :3])


def test_in_double_precision_it_is_the_definition_itself():
    """As ``ctxlab verify`` runs it."""
    torch.manual_seed(0)
    linear, inputs = torch.nn.Linear(16, 24), torch.randn(3, 16).double()
    layer = Int8Linear.of(linear).double()
    found = layer(inputs)
    assert found.dtype == torch.float64
    assert torch.allclose(found, by_definition(linear.weight, linear.bias, inputs), atol=1e-6)


def test_zeros_stay_zeros():
    layer = Int8Linear.of(torch.nn.Linear(4, 3, bias=False))
    assert torch.equal(layer(torch.zeros(2, 4)), torch.zeros(2, 3))


@pytest.mark.parametrize("name", ["tiny_bert", "tiny_gpt2", "tiny_llama", "tiny_t5"])
def test_a_model_stays_close(name):
    made = tiny(name)
    before = logits(made)
    compress(made, "int8")
    error = (logits(made) - before).norm() / before.norm()
    assert 0 < error < 0.05


def test_layers_that_share_weights_still_do(tmp_path):
    made = tiny("tiny_bert")
    compress(made, "share")
    compress(made, "int8")
    again = reloaded(made, tmp_path)
    assert torch.equal(logits(again), logits(made))
    first, second = (again.model.bert.encoder.layer[place].output.dense for place in (0, 1))
    assert first.weight_int8.data_ptr() == second.weight_int8.data_ptr()
    assert first.bias is second.bias


@pytest.mark.parametrize("name", ["layers", "heads", "ffn", "share", "vocabulary", "int8"])
def test_nothing_comes_after_it(name):
    made = tiny("tiny_bert")
    compress(made, "int8")
    with pytest.raises(UserError, match=f"compression={name} works on weights of full precision"):
        compress(made, name)
