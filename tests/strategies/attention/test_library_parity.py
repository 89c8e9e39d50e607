"""Windowed attention of library models against ours: same weights, same outputs. Everything runs in fp32, with outputs
of order one. Tolerance: 1e-5 (worst seen 4e-6), for gradients 1e-4 of a weight's largest. What a window's size counts
differs between models: see each test.
"""

import copy

import pytest
import torch
import transformers as tf
from torch.testing import assert_close

from ctxlab.strategies.attention.full import Full
from ctxlab.strategies.attention.local import Local
from tests.strategies.conftest import BERT, ROTARY, T5

LENGTH = 96


def batch():
    torch.manual_seed(1)
    mask = torch.ones(2, LENGTH, dtype=torch.long)
    mask[1, 75:] = 0
    return torch.randint(5, 60, (2, LENGTH)), mask


def states(model):
    """Last hidden states of the tokens that are not padding."""
    ids, mask = batch()
    return model(input_ids=ids, attention_mask=mask).last_hidden_state[mask.bool()]


def check(ours, theirs):
    """Assert equal outputs and gradients of all shared weights, and that the window hides something."""
    full = copy.deepcopy(ours)
    Full().install(full)
    found, expected = states(ours), states(theirs)
    assert_close(found, expected, atol=1e-5, rtol=0)
    assert (found - states(full)).abs().max() > 1e-2
    upstream = torch.randn_like(found)
    for outputs in (found, expected):
        (outputs * upstream).sum().backward()
    wanted = {name: weight.grad for name, weight in theirs.named_parameters()}
    for name, weight in ours.named_parameters():
        other = wanted[name.replace("SelfAttention", "LocalSelfAttention") if name not in wanted else name]
        if other is not None:
            assert_close(weight.grad, other, atol=1e-4 * max(1.0, float(other.abs().max())), rtol=0, msg=name)


@pytest.mark.parametrize("window", [4, 8])
def test_longformer(window):
    """``attention_window`` counts both sides. No global token: Longformer has projections of their own for these."""
    torch.manual_seed(0)
    sizes = BERT | {"max_position_embeddings": 130, "pad_token_id": 1, "type_vocab_size": 1}
    theirs = tf.LongformerModel(tf.LongformerConfig(**sizes, attention_window=2 * window), add_pooling_layer=False)
    ours = tf.RobertaModel(tf.RobertaConfig(**sizes), add_pooling_layer=False).eval()
    ours.load_state_dict({name: weight for name, weight in theirs.state_dict().items() if "_global" not in name})
    Local(window, num_global=0).install(ours)
    check(ours, theirs.eval())


@pytest.mark.parametrize("radius", [6, 11])
def test_longt5(radius):
    """``local_radius`` counts one side, as our window: a key is seen up to that distance, not one less.

    LongT5 cuts blocks of radius + 1 tokens, gives each the blocks before and after it, and hides keys beyond the
    radius. Its relative bias is that of T5.
    """
    torch.manual_seed(0)
    theirs = tf.LongT5EncoderModel(
        tf.LongT5Config(**T5, local_radius=radius, encoder_attention_type="local", feed_forward_proj="relu")
    ).eval()
    ours = tf.T5EncoderModel(tf.T5Config(**T5)).eval()
    for model in (ours, theirs):
        torch.nn.init.normal_(bias_of(model))
    weights = {name.replace("LocalSelfAttention", "SelfAttention"): w for name, w in theirs.state_dict().items()}
    ours.load_state_dict(weights)
    Local(radius, num_global=0).install(ours)
    check(ours, theirs)
    assert bias_of(ours).grad.abs().max() > 0


def bias_of(model):
    return next(weight for name, weight in model.named_parameters() if "relative_attention_bias" in name)


@pytest.mark.parametrize("width", [8, 24])
def test_modernbert(width):
    """``local_attention`` is the whole width: half of it on each side. All layers are local here, none global."""
    torch.manual_seed(0)
    sizes = ROTARY | {"cls_token_id": 1, "sep_token_id": 2, "num_hidden_layers": 2}
    both = {"rope_type": "default", "rope_theta": 10_000.0}
    rope = {"full_attention": both, "sliding_attention": both}  # theirs differ in the base of their positions
    kinds = {"ours": ["full_attention"] * 2, "theirs": ["sliding_attention"] * 2}
    ours, theirs = (
        tf.ModernBertModel(
            tf.ModernBertConfig(**sizes, local_attention=width, layer_types=kinds[side], rope_parameters=rope)
        ).eval()
        for side in ("ours", "theirs")
    )
    ours.load_state_dict(theirs.state_dict())
    Local(width // 2, num_global=0).install(ours)
    check(ours, theirs)


@pytest.mark.parametrize("kept", [5, 16])
def test_mistral(kept):
    """``sliding_window`` counts the tokens that are kept, the query's own among them: one more than our window."""
    torch.manual_seed(0)
    sizes = ROTARY | {"num_key_value_heads": 2}
    theirs = tf.MistralModel(tf.MistralConfig(**sizes, sliding_window=kept)).eval()
    ours = tf.MistralModel(tf.MistralConfig(**sizes, sliding_window=None)).eval()
    ours.load_state_dict(theirs.state_dict())
    Local(kept - 1, num_global=0).install(ours)
    check(ours, theirs)


@pytest.mark.parametrize("off", [-1, 1])
def test_a_window_that_is_off_by_one_is_noticed(off, monkeypatch):
    """Planted fault, in both directions."""
    right = Local
    monkeypatch.setitem(globals(), "Local", lambda window, num_global: right(window + off, num_global))
    for run, size in ((test_longformer, 8), (test_longt5, 6), (test_modernbert, 8), (test_mistral, 5)):
        with pytest.raises(AssertionError, match="not close"):
            run(size)
