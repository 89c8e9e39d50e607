"""Scaled rotary positions: by closed formulae, against the library's functions, and active in real models."""

import copy
import json
import logging
import math

import numpy as np
import pytest
import torch
import transformers as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from ctxlab.core.errors import UserError
from ctxlab.strategies.positions.dynamic_ntk import DynamicNtk
from ctxlab.strategies.positions.keep import Keep
from ctxlab.strategies.positions.linear import Linear
from ctxlab.strategies.positions.longrope import Longrope
from ctxlab.strategies.positions.ntk import Ntk
from ctxlab.strategies.positions.tables.rotary import Rope
from ctxlab.strategies.positions.tile import Tile
from ctxlab.strategies.positions.yarn import Yarn

PARTS = [Linear, Ntk, DynamicNtk, Yarn, Longrope]
BODY = {
    "num_labels": 3, "vocab_size": 60, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "hidden_size": 32,
    "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48, "initializer_range": 0.3,
}  # fmt: skip


def llama(trained=64, dim=8, theta=10_000.0, **more):
    parameters = {"rope_type": "default", "rope_theta": theta}
    sizes = BODY | {"head_dim": dim, "max_position_embeddings": trained, "rope_parameters": parameters}
    return tf.LlamaConfig(**sizes | more)


def make_config(kind, trained=64):
    match kind:
        case "llama":
            return llama(trained, num_key_value_heads=2)
        case "modernbert":
            return tf.ModernBertConfig(**BODY, cls_token_id=1, sep_token_id=2, local_attention=24,
                                       global_attn_every_n_layers=2, max_position_embeddings=trained)  # fmt: skip
        case "mistral":
            return tf.MistralConfig(**BODY, num_key_value_heads=2, max_position_embeddings=trained, sliding_window=None)
        case "qwen2":
            return tf.Qwen2Config(**BODY, num_key_value_heads=2, max_position_embeddings=trained)
        case "gpt_neox":  # rotates only a part of each head
            return tf.GPTNeoXConfig(**BODY, max_position_embeddings=trained,
                                    rope_parameters={"rope_theta": 1e4, "partial_rotary_factor": 0.5})  # fmt: skip
        case "bert":
            return tf.BertConfig(**BODY, max_position_embeddings=trained)
        case "gpt2":
            return tf.GPT2Config(vocab_size=60, n_embd=16, n_layer=1, n_head=2, n_positions=trained, bos_token_id=1,
                                 eos_token_id=2)  # fmt: skip
        case "t5":
            return tf.T5Config(vocab_size=60, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    raise ValueError(kind)


KINDS = ["llama", "modernbert", "mistral", "qwen2", "gpt_neox"]


def build(config):
    torch.manual_seed(0)
    return tf.AutoModelForTokenClassification.from_config(config).eval()


def scaled(part, config, length):
    """A model as a stage builds it: the config first, the model from it, the check last."""
    part.configure(config, length)
    model = build(config)
    part.extend(model, length)
    return model


def logits(model, ids, **more):
    with torch.no_grad():
        return model(input_ids=ids, **more).logits


def rotary_module(model):
    (module,) = [module for module in model.modules() if type(module).__name__.endswith("RotaryEmbedding")]
    return module


def tokens(length, rows=1):
    return torch.randint(5, 60, (rows, length), generator=torch.Generator().manual_seed(length))


def trained_inv_freq(dim, theta):
    return np.array([theta ** (-2 * i / dim) for i in range(dim // 2)])


# ---- closed formulae, worked here and not in the parts


def test_linear_divides_every_frequency():
    model = scaled(Linear(), llama(trained=64, dim=8), 256)
    assert_close(rotary_module(model).inv_freq.numpy(), (trained_inv_freq(8, 1e4) / 4).astype(np.float32))
    assert rotary_module(model).attention_scaling == 1


def test_linear_at_positions_s_times_m_is_the_trained_model_at_m():
    plain, model = build(llama()), scaled(Linear(4), llama(), 256)
    ids = tokens(64)
    assert_close(logits(model, ids, position_ids=torch.arange(64)[None] * 4), logits(plain, ids), atol=1e-5, rtol=1e-5)
    assert (logits(model, ids) - logits(plain, ids)).abs().max() > 0.01


def test_ntk_raises_the_base():
    model = scaled(Ntk(), llama(trained=64, dim=8), 256)
    base = 1e4 * 4 ** (8 / 6)
    used = rotary_module(model).inv_freq.double().numpy()
    np.testing.assert_allclose(used, trained_inv_freq(8, base), rtol=1e-5)
    np.testing.assert_allclose(used[[0, -1]], trained_inv_freq(8, 1e4)[[0, -1]] / [1, 4], rtol=1e-5)
    assert model.config.rope_parameters == {"rope_type": "default", "rope_theta": pytest.approx(base)}


@pytest.mark.parametrize("factor", [1, 2, 4])
@pytest.mark.parametrize("length", [65, 100, 256])
def test_dynamic_ntk_depends_on_the_window(factor, length):
    model = scaled(DynamicNtk(factor), llama(trained=64, dim=8), 256)
    logits(model, tokens(length))
    base = 1e4 * (factor * length / 64 - (factor - 1)) ** (8 / 6)
    np.testing.assert_allclose(rotary_module(model).inv_freq.double(), trained_inv_freq(8, base), rtol=1e-5)
    assert model.config.max_position_embeddings == 64  # else the library would not notice long windows


def test_yarn_by_hand():
    """Of the eight frequencies, the first two turn more than 32 times in 2,048 tokens, those from the seventh on less
    than once."""
    model = scaled(Yarn(), llama(trained=2048, dim=16, theta=1e4), 8192)
    ratios = rotary_module(model).inv_freq.double().numpy() / trained_inv_freq(16, 1e4)
    np.testing.assert_allclose(ratios, [1, 1, 1, 0.8125, 0.625, 0.4375, 0.25, 0.25], rtol=1e-5)
    assert rotary_module(model).attention_scaling == pytest.approx(1.1386294, abs=1e-7)


def test_yarn_takes_other_bounds():
    """No index lies strictly between 8 and 4 turns in 2,048 tokens: 3 stays, 4 is scaled."""
    model = scaled(Yarn(beta_fast=8, beta_slow=4), llama(trained=2048, dim=16, theta=1e4), 8192)
    ratios = rotary_module(model).inv_freq.double().numpy() / trained_inv_freq(16, 1e4)
    np.testing.assert_allclose(ratios, [1] * 4 + [0.25] * 4, rtol=1e-5)


def test_longrope_by_hand():
    long, short = [1.0, 1.5, 3.0, 4.0], [1.0, 1.0, 1.1, 1.2]
    model = scaled(Longrope(long_factor=long, short_factor=short), llama(trained=64, dim=8), 256)
    module = rotary_module(model)
    assert module.attention_scaling == pytest.approx(math.sqrt(1 + math.log(4) / math.log(64)))
    for length, factors in ((65, long), (64, short)):
        logits(model, tokens(length))
        np.testing.assert_allclose(module.inv_freq.double(), trained_inv_freq(8, 1e4) / factors, rtol=1e-5)


def test_longrope_without_searched_factors_uses_the_ntk_aware_ones_at_every_length():
    module = rotary_module(model := scaled(Longrope(), llama(trained=64, dim=8), 256))
    for length in (20, 200):
        logits(model, tokens(length))
        np.testing.assert_allclose(module.inv_freq.double(), trained_inv_freq(8, 1e4 * 4 ** (8 / 6)), rtol=1e-5)


# ---- against the library's functions, over many shapes

SHAPES = {
    "dim": st.integers(2, 64).map(lambda half: 2 * half),
    "theta": st.sampled_from([500.0, 1e4, 1e5, 5e5, 1e6]) | st.floats(100, 1e7),
    "trained": st.integers(32, 131_072),
    "factor": st.floats(1, 64),
    "length": st.integers(1, 500_000),
}


@pytest.mark.parametrize("cls", PARTS)
@settings(max_examples=50, deadline=None)
@given(**SHAPES)
def test_formulae_are_those_of_the_library(cls, dim, theta, trained, factor, length):
    part, rope = cls(), Rope(theta, dim, trained, factor)
    config = llama(trained, dim, theta)
    config.rope_parameters = {**config.rope_parameters, **part.parameters(rope)}
    if part.enlarges:
        config.max_position_embeddings = int(trained * factor)
    function = ROPE_INIT_FUNCTIONS.get(config.rope_parameters["rope_type"],
                                       LlamaRotaryEmbedding.compute_default_rope_parameters)  # fmt: skip
    inv_freq, scaling = function(config, seq_len=length)
    declared = part.angles(rope, length)
    assert_close(declared.inv_freq, inv_freq.double(), rtol=5e-5, atol=0)
    assert declared.scaling == pytest.approx(scaling)


@pytest.mark.parametrize("cls", PARTS)
@settings(max_examples=10, deadline=None)
@given(
    half=st.integers(2, 10),
    trained=st.integers(16, 80),
    more=st.integers(1, 200),
    given_factor=st.floats(0, 4) | st.none(),
)
def test_every_sufficient_factor_takes_effect_in_a_model(cls, half, trained, more, given_factor):
    length = trained + more
    factor = None if given_factor is None else length / trained + given_factor
    config = llama(trained, 2 * half, num_hidden_layers=1)
    model = scaled(cls(factor), config, length)
    assert model.config.ctxlab["positions"]["factor"] == (factor or length / trained)
    assert model.config.ctxlab["positions"]["length"] >= length
    if cls.enlarges:
        assert model.config.max_position_embeddings >= length
    last = torch.tensor([[length - 1]])
    cosines, sines = rotary_module(model)(torch.zeros(1, 1, 1), last)
    slowest = torch.atan2(sines, cosines)[0, 0, half - 1].item()
    assert slowest < (length - 1) * 1e4 ** (-(2 * half - 2) / (2 * half)) * (1 - 1e-3)  # turns less than as trained


# ---- real models


@pytest.mark.covering
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cls", PARTS)
def test_a_saved_model_reloads_alone_with_the_same_logits(cls, kind, tmp_path):
    plain, model = build(make_config(kind)), scaled(cls(), make_config(kind), 200)
    ids, mask = tokens(200, rows=2), torch.ones(2, 200, dtype=torch.long)
    mask[1, 150:] = 0
    before = logits(model, ids, attention_mask=mask)
    model.save_pretrained(tmp_path)
    again = tf.AutoModelForTokenClassification.from_pretrained(tmp_path).eval()
    assert torch.equal(logits(again, ids, attention_mask=mask), before)
    assert not torch.allclose(logits(plain, ids, attention_mask=mask), before, atol=1e-3)
    assert json.loads((tmp_path / "config.json").read_text())["ctxlab"]["positions"]["trained_length"] == 64
    cls().extend(again, 200)  # and is known for what it is
    config = copy.deepcopy(again.config).to_dict()
    cls().configure(again.config, 200)
    assert again.config.to_dict() == config


@pytest.mark.parametrize("cls", PARTS)
def test_sliding_layers_keep_what_they_were_trained_with(cls):
    plain, model = build(make_config("modernbert")), scaled(cls(), make_config("modernbert"), 256)
    old, new = rotary_module(plain), rotary_module(model)
    logits(model, tokens(256))
    assert torch.equal(new.sliding_attention_inv_freq, old.sliding_attention_inv_freq)
    assert new.sliding_attention_attention_scaling == 1
    changed = new.full_attention_inv_freq / old.full_attention_inv_freq
    assert changed[-1] == pytest.approx(1 / 13 if cls is DynamicNtk else 1 / 4, rel=1e-4)  # 4·4 - 3 at four times
    assert model.config.rope_parameters["sliding_attention"] == plain.config.rope_parameters["sliding_attention"]


def test_gemma_3_changes_in_its_global_layers_only():
    config = tf.Gemma3TextConfig(**BODY | {"num_hidden_layers": 6}, head_dim=8, num_key_value_heads=2,
                                 max_position_embeddings=64, sliding_window=16)  # fmt: skip
    Yarn().configure(config, 256)
    model = tf.Gemma3TextModel(config)
    Yarn().extend(model, 256)
    assert {name: each["rope_type"] for name, each in model.config.rope_parameters.items()} == {
        "sliding_attention": "default", "full_attention": "yarn"}  # fmt: skip


@pytest.mark.parametrize("cls", PARTS)
@pytest.mark.parametrize("kind", [*KINDS, "bert"])
def test_nothing_happens_where_the_length_fits(cls, kind):
    config = make_config(kind)
    before = config.to_dict()
    scaled(cls(), config, 64)
    assert config.to_dict() == before


@pytest.mark.parametrize("part", [Keep(), Tile()])
def test_the_other_parts_leave_configs_alone(part):
    config = llama()
    before = config.to_dict()
    part.configure(config, 4096)
    assert config.to_dict() == before


def test_a_further_extension_counts_from_the_trained_positions():
    """Twice by two equals once by four, whatever the first method was."""
    for first in PARTS:
        for second in PARTS:
            twice, once = llama(), llama()
            if first is second is DynamicNtk:
                continue  # keeps its factor, see below
            first().configure(twice, 128)
            second().configure(twice, 256)
            second().configure(once, 256)
            assert twice.to_dict() == once.to_dict()


def test_a_checkpoint_of_dynamic_ntk_keeps_its_factor_at_every_length():
    config = llama()
    DynamicNtk().configure(config, 128)
    for length in (100, 128, 1000):
        DynamicNtk().configure(config, length)
        assert config.rope_parameters["factor"] == 2
        assert config.max_position_embeddings == 64
    DynamicNtk(3).configure(config, 128)
    assert config.rope_parameters["factor"] == 3


@pytest.mark.parametrize("kind", ["llama", "modernbert"])
def test_dynamic_ntk_keeps_no_state_between_windows(kind):
    model, short, middle = scaled(DynamicNtk(2), make_config(kind), 256), tokens(64), tokens(100)
    fresh = [logits(model, short), logits(model, middle)]
    logits(model, tokens(256))
    assert torch.equal(logits(model, middle), fresh[1])
    logits(model, tokens(256))
    assert torch.equal(logits(model, short), fresh[0])
    assert torch.equal(fresh[0], logits(build(make_config(kind)), short))  # within the trained length nothing changes
    DynamicNtk(2).extend(model, 256)
    assert len(rotary_module(model)._forward_pre_hooks) == 1


# ---- nothing is silently inactive


@pytest.mark.parametrize("cls", PARTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_config_changed_after_the_model_was_built_is_found_out(cls, kind):
    model = build(make_config(kind))
    cls().configure(model.config, 256)
    with pytest.raises(UserError, match=r"is not active in this .*build the model from a config"):
        cls().extend(model, 256)


@pytest.mark.parametrize("cls", PARTS)
def test_a_model_that_was_not_configured_is_refused(cls):
    with pytest.raises(UserError, match=r"call configure on its config before building it, or use context=64"):
        cls().extend(build(llama()), 256)


@pytest.mark.parametrize("cls", PARTS)
@pytest.mark.parametrize("fault", ["frequency", "scaling", "number"])
def test_layers_that_use_other_frequencies_are_found_out(cls, fault):
    part = cls()
    model = scaled(part, llama(), 256)
    module = rotary_module(model)
    if fault == "scaling":
        module.attention_scaling *= 1.01
    elif fault == "number":
        module.register_forward_hook(lambda module, *_: setattr(module, "inv_freq", module.inv_freq[:-1]))
    else:
        module.register_forward_hook(lambda module, *_: module.inv_freq[1].mul_(1.01))
    with pytest.raises(UserError, match="is not active"):
        part.extend(model, 256)


def test_a_model_without_rotary_modules_cannot_pass():
    config = llama()
    Linear().configure(config, 256)
    model = build(config)
    del model.model.rotary_emb
    with pytest.raises(UserError, match="is not active"):
        Linear().extend(model, 256)


# ---- what a person can get wrong


@pytest.mark.parametrize("cls", PARTS)
@pytest.mark.parametrize("factor", [0.99, 0, -2, math.nan, math.inf])
def test_a_factor_below_one_is_refused(cls, factor):
    with pytest.raises(UserError, match=r"strategy\.positions\.factor=.* is not a finite number of at least 1"):
        cls(factor)


@pytest.mark.parametrize("cls", [Linear, Ntk, Yarn, Longrope])
def test_an_insufficient_factor_is_refused(cls):
    with pytest.raises(UserError, match=r"factor=2 reaches 128 tokens.* windows of 200: use 3\.13 or more, or null"):
        cls(2).configure(llama(), 200)


def test_a_factor_without_effect_is_said(caplog):
    with caplog.at_level(logging.WARNING):
        Yarn(2).configure(llama(), 64)
    assert "factor=2 is not used" in caplog.text


@pytest.mark.parametrize("cls", PARTS)
def test_published_scaling_is_not_scaled_again(cls):
    config = llama(rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4})
    with pytest.raises(UserError, match=r"scaled already \(rope_type=linear\): use context=64"):
        cls().configure(config, 128)


@pytest.mark.parametrize("cls", PARTS)
@pytest.mark.parametrize("kind", ["bert", "gpt2", "t5"])
def test_other_kinds_of_positions_are_refused(cls, kind):
    config = make_config(kind)
    cls().configure(config, 256)
    with pytest.raises(UserError, match=rf"`{kind}` has none: use strategy/positions=tile .*keep"):
        cls().extend(build(config), 256)


def test_searched_factors_are_one_a_frequency_and_from_one_up():
    with pytest.raises(UserError, match=r"long_factor has 3 factors and the model 4 rotary frequencies"):
        Longrope(long_factor=[1, 2, 3]).configure(llama(dim=8), 256)
    with pytest.raises(UserError, match=r"short_factor has the factor 0\.5"):
        Longrope(short_factor=[1, 1, 1, 0.5])


@pytest.mark.parametrize(("fast", "slow"), [(1, 1), (1, 32), (32, 0), (math.nan, 1)])
def test_yarn_needs_its_bounds_in_order(fast, slow):
    with pytest.raises(UserError, match="must be above beta_slow"):
        Yarn(beta_fast=fast, beta_slow=slow)


def test_declarations():
    assert [cls().name for cls in PARTS] == ["linear", "ntk", "dynamic_ntk", "yarn", "longrope"]
    assert all(cls.extends and cls.kinds == {"rotary"} for cls in PARTS)
