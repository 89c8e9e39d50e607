"""A model with the pattern installed gives the logits of the same model under an explicit dense mask."""

import copy
import functools
import json

import pytest
import torch
import transformers as tf
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

from ctxlab.core.errors import UserError
from ctxlab.strategies.attention.dynamic_heads import DynamicHeads
from ctxlab.strategies.attention.full import Full
from ctxlab.strategies.attention.kernels.interface import install
from ctxlab.strategies.attention.kernels.masks import from_tensor
from ctxlab.strategies.attention.local import Local
from ctxlab.strategies.attention.scaled import Scaled

LENGTH = 150
ENCODERS = ["bert", "roberta", "distilbert", "electra", "albert", "modernbert", "t5"]
DECODERS = ["llama", "gpt2"]


def batch(length=LENGTH, lost=40):
    torch.manual_seed(1)
    ids = torch.randint(5, 60, (2, length))
    mask = torch.ones_like(ids)
    mask[1, length - lost :] = 0
    return ids, mask


def pattern(length, window, num_global, causal):
    query, key = torch.arange(length)[:, None], torch.arange(length)[None]
    seen = ((query - key).abs() <= window) | (query < num_global) | (key < num_global)
    return seen & (key <= query) if causal else seen


def dense_mask(kind, mask, window, num_global):
    """(B, 1, L, L) bool, or one for each kind of layer; rows without any key see themselves, so that none is NaN."""
    length = mask.shape[1]
    seen = pattern(length, window, num_global, kind in DECODERS)[None, None] & mask[:, None, None, :].bool()
    if kind == "modernbert":
        index = torch.arange(length)
        sliding = (index[:, None] - index[None]).abs() <= 12  # half of its local_attention
        return {"full_attention": visible(seen), "sliding_attention": visible(seen & sliding)}
    return visible(seen)


def visible(seen):
    return seen | (~seen.any(-1, keepdim=True) & torch.eye(seen.shape[-1], dtype=torch.bool))


@pytest.mark.parametrize("num_global", [0, 2])
@pytest.mark.parametrize("kind", ENCODERS + DECODERS)
def test_logits_equal_a_dense_mask(tiny, kind, num_global):
    model = tiny(kind)
    reference = copy.deepcopy(model)
    reference.set_attn_implementation("sdpa")
    Local(window=6, num_global=num_global).install(model)
    ids, mask = batch()
    with torch.no_grad():
        found = model(input_ids=ids, attention_mask=mask).logits
        expected = reference(input_ids=ids, attention_mask=dense_mask(kind, mask, 6, num_global)).logits
        full = reference(input_ids=ids, attention_mask=mask).logits
    real = mask.bool()
    assert_close(found[real], expected[real], atol=2e-5, rtol=0)
    # ModernBERT slides by itself in half of its layers; all others would see far more without the pattern.
    assert (found[real] - full[real]).abs().max() > 1e-2


@pytest.mark.parametrize("kind", ENCODERS + DECODERS)
def test_a_window_that_covers_everything_is_full_attention(tiny, kind):
    model = tiny(kind)
    reference = copy.deepcopy(model)
    Local(window=LENGTH, num_global=1).install(model)
    ids, mask = batch()
    with torch.no_grad():
        found, expected = (m(input_ids=ids, attention_mask=mask).logits for m in (model, reference))
    assert_close(found[mask.bool()], expected[mask.bool()], atol=2e-5, rtol=0)


@pytest.mark.parametrize("kind", ENCODERS + DECODERS)
def test_batched_equals_alone(tiny, kind):
    model = tiny(kind)
    Local(window=6, num_global=1).install(model)
    ids, mask = batch()
    with torch.no_grad():
        together = model(input_ids=ids, attention_mask=mask).logits[1, : LENGTH - 40]
        alone = model(input_ids=ids[1:, : LENGTH - 40]).logits[0]
    assert_close(together, alone, atol=2e-5, rtol=0)


@pytest.mark.parametrize("kind", ["bert", "llama", "t5"])
def test_gradients_equal_a_dense_mask(tiny, kind):
    model = tiny(kind)
    reference = copy.deepcopy(model)
    Local(window=6, num_global=1).install(model)
    ids, mask = batch()
    weights = mask[..., None] * torch.randn(2, LENGTH, 3)
    for side, seen in ((model, mask), (reference, dense_mask(kind, mask, 6, 1))):
        (side(input_ids=ids, attention_mask=seen).logits * weights).sum().backward()
    for (name, ours), theirs in zip(model.named_parameters(), reference.parameters(), strict=True):
        if theirs.grad is not None:
            assert_close(ours.grad, theirs.grad, atol=1e-4 * max(1.0, float(theirs.grad.abs().max())), rtol=0, msg=name)


def test_packed_documents_do_not_see_each_other(tiny):
    """The library recognises packing by position ids that restart; the pattern must keep it."""
    model = tiny("llama")
    reference = copy.deepcopy(model)
    Local(window=6, num_global=1).install(model)
    ids, _ = batch()
    positions = torch.cat([torch.arange(60), torch.arange(LENGTH - 60)]).expand(2, -1)
    document = (torch.arange(LENGTH) >= 60).long()
    seen = pattern(LENGTH, 6, 1, causal=True) & (document[:, None] == document[None])
    with torch.no_grad():
        found = model(input_ids=ids, position_ids=positions, use_cache=False).logits
        expected = reference(
            input_ids=ids, position_ids=positions, attention_mask=seen.expand(2, 1, -1, -1), use_cache=False
        ).logits
    assert_close(found, expected, atol=2e-5, rtol=0)


def test_the_mask_is_built_once_a_forward_pass(tiny, monkeypatch):
    calls = []
    part = Local(window=6)
    build = part._mask
    monkeypatch.setattr(part, "_mask", lambda *args, **kwargs: calls.append(1) or build(*args, **kwargs))
    model = tiny("bert")
    part.install(model)
    calls.clear()
    with torch.no_grad():
        model(input_ids=batch()[0])
    assert len(calls) == 1


def test_deberta_is_refused_and_left_as_it_was(tiny):
    """It accepts the name of any attention function and never calls it."""
    model = tiny("deberta")
    before = model.config._attn_implementation
    with pytest.raises(UserError, match=r"deberta-v2.*strategy/attention=full.*strategy=truncate"):
        Local().install(model)
    assert model.config._attn_implementation == before
    assert not hasattr(model.config, "ctxlab")
    ids = batch()[0]
    Full().install(model)
    assert model(input_ids=ids).logits.isfinite().all()


@pytest.mark.parametrize("missing", ["attention", "layer", "other", "mask"])
def test_half_an_installation_is_refused(tiny, missing, monkeypatch):
    """Planted faults: the attention function or the mask function is never called, or one layer bypasses it."""
    part, model = Local(), tiny("bert")
    last = model.bert.encoder.layer[1].attention.self
    if missing == "attention":
        monkeypatch.setattr(model, "set_attn_implementation", lambda name: None)
    elif missing == "layer":
        monkeypatch.setattr(last, "forward", lambda states, *args, **kwargs: (states, None))
    elif missing == "other":
        monkeypatch.setattr(last, "config", copy.deepcopy(model.config))
    else:
        ready = torch.ones(1, 1, 8, 8, dtype=torch.bool)
        monkeypatch.setattr(model.bert, "_create_attention_masks", lambda **kwargs: (ready, None))
    with pytest.raises(UserError, match="would not take effect"):
        part.install(model)


def test_installing_leaves_mode_and_weights(tiny):
    model = tiny("bert").train()
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    state = torch.get_rng_state()
    Local().install(model)
    Local().install(model)
    assert model.training
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(weight, weights[name]) for name, weight in model.state_dict().items())


def test_two_patterns_in_one_process_do_not_mix(tiny):
    first, second = tiny("bert"), tiny("bert")
    Local(window=4).install(first)
    ids = batch()[0]
    with torch.no_grad():
        before = first(input_ids=ids).logits
        Local(window=40).install(second)
        assert torch.equal(first(input_ids=ids).logits, before)
        assert not torch.allclose(second(input_ids=ids).logits, before, atol=1e-3)


def test_the_saved_config_says_what_was_installed(tiny, tmp_path):
    model = tiny("bert")
    Local(window=6, num_global=2).install(model)
    model.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text())
    assert saved["ctxlab"]["attention"] == {"name": "local", "window": 6, "num_global": 2}
    again = tf.AutoModelForTokenClassification.from_pretrained(tmp_path)
    Local(window=6, num_global=2).install(again)
    ids = batch()[0]
    with torch.no_grad():
        assert torch.equal(again.eval()(input_ids=ids).logits, model(input_ids=ids).logits)


def test_full_restores_the_attention_of_the_library(tiny):
    model, plain = tiny("bert"), tiny("bert")
    Local(window=4).install(model)
    Full().install(model)
    ids = batch()[0]
    with torch.no_grad():
        assert torch.equal(model(input_ids=ids).logits, plain(input_ids=ids).logits)
    assert model.config.ctxlab["attention"] == {"name": "full"}
    assert Full().allowed(torch.arange(3)[:, None], torch.arange(4)[None], 4).sum() == 12
    assert Full().pairs(7) == 49


def test_gradient_checkpointing_takes_the_mask_along(tiny):
    model = tiny("bert")
    Local(window=6).install(model)
    ids, mask = batch()
    gradients = []
    for checkpointing in (False, True):
        if checkpointing:
            model.train()
            for layer in model.bert.encoder.layer:
                layer.forward = functools.partial(checkpoint, layer.forward, use_reentrant=False)
        model.zero_grad()
        model(input_ids=ids, attention_mask=mask).logits.sum().backward()
        gradients.append(model.bert.embeddings.word_embeddings.weight.grad.clone())
    assert_close(gradients[0], gradients[1], atol=1e-5, rtol=1e-5)


def test_bf16_autocast_stays_close(tiny):
    """Tolerance: two layers of 8-bit mantissas."""
    model = tiny("bert")
    Local(window=6).install(model)
    ids, mask = batch()
    exact = model(input_ids=ids, attention_mask=mask).logits
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = model(input_ids=ids, attention_mask=mask).logits
    rounded.float().sum().backward()
    assert (rounded.float() - exact).abs().max() < 0.05 * exact.abs().max()


def test_install_is_open_to_other_patterns(tiny):
    """What a new sparse part needs: two functions and a name."""

    def attend(module, query, key, value, attention_mask, **kwargs):
        return value.transpose(1, 2).contiguous(), None

    model = tiny("bert")
    install(model, "ctxlab_test_identity", attend, lambda *args, **kwargs: None, {"name": "identity"})
    assert model.config.ctxlab["attention"] == {"name": "identity"}
    ids = batch()[0]
    changed = ids.clone()
    changed[:, 0] = (changed[:, 0] + 1) % 60
    with torch.no_grad():
        assert torch.equal(model(input_ids=ids).logits[:, 1:], model(input_ids=changed).logits[:, 1:])


PAGES = {
    "layoutlm": (tf.LayoutLMConfig, tf.LayoutLMForTokenClassification, {}),
    "markuplm": (tf.MarkupLMConfig, tf.MarkupLMForTokenClassification, {"max_depth": 10}),
}
"""Models that make a mask (B, 1, 1, L) themselves, of numbers that are added to the scores."""


def page_model(kind):
    config, cls, more = PAGES[kind]
    torch.manual_seed(0)
    sizes = {"vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    return cls(config(**sizes, intermediate_size=48, max_position_embeddings=LENGTH + 8, **more)).eval()


def dense_local(module, query, key, value, attention_mask, scaling=None, **_):
    """Local attention of 6 tokens on each side with one global token, by a dense mask."""
    seen = pattern(query.shape[2], 6, 1, causal=False)
    scores = query @ key.transpose(-1, -2) * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    scores = (scores + attention_mask).masked_fill(~seen, float("-inf"))
    return (scores.softmax(-1) @ value).transpose(1, 2), None


@torch.no_grad()
@pytest.mark.parametrize("kind", PAGES)
def test_a_model_that_makes_its_own_mask_of_padding(kind):
    model = page_model(kind)
    reference = copy.deepcopy(model)
    tf.AttentionInterface.register("dense_local", dense_local)
    reference.set_attn_implementation("dense_local")
    Local(window=6, num_global=1).install(model)
    ids, mask = batch()
    expected, found = (one(input_ids=ids, attention_mask=mask).logits for one in (reference, model))
    assert_close(found[mask.bool()], expected[mask.bool()], atol=1e-5, rtol=1e-5)
    alone = model(input_ids=ids[1:, :110], attention_mask=mask[1:, :110]).logits
    assert_close(found[1:, :110], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("part", [Scaled(reference=16), DynamicHeads()], ids=["scaled", "dynamic_heads"])
@pytest.mark.parametrize("kind", PAGES)
def test_a_part_that_needs_the_library_s_mask_refuses_such_a_model(kind, part):
    model = page_model(kind)
    with pytest.raises(UserError, match="would not take effect on model type"):
        part.install(model)


def test_a_mask_that_does_more_than_leave_out_keys_is_refused():
    query = torch.randn(1, 2, 4, 8)
    with pytest.raises(NotImplementedError, match="adds numbers to the scores"):
        from_tensor(query, query, torch.tensor([[[[0.0, -1.5, 0.0, -20_000.0]]]]), causal=False)
