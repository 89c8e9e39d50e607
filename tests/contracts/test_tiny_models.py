"""Every tiny model: fast to build, reproducible, with one tokenizer, and its options take effect. Models are found by
listing the YAML files that name a subclass of ``Tiny``; ``EXPECTED`` describes each.
"""

import inspect
import re

import pytest
import torch

from ctxlab.config import catalogue
from ctxlab.config.build import locate
from ctxlab.core.architecture import describe, num_heads
from ctxlab.core.errors import UserError
from ctxlab.models.loading.tiny import Tiny, make_byte_tokenizer

EXPECTED = {
    "tiny_bert": ("encoder", "learned"),
    "tiny_gpt2": ("decoder", "learned"),
    "tiny_llama": ("decoder", "rotary"),
    "tiny_t5": ("encoder_decoder", "relative"),
}
"""Kind and positions."""

WRITES = {"encoder": "masked_lm", "decoder": "causal_lm", "encoder_decoder": "seq2seq_lm"}
ATTENTION = re.compile(r"(attention\.self\.dropout|attn_dropout|self_attn|SelfAttention)$")
"""Modules with a rate of dropout on attention probabilities."""

HEAD, LABELS = "token_classification", ["O", "B-PER", "I-PER"]


def component(name):
    return locate(catalogue.read(catalogue.option_file("model", name))["_target_"])


MODELS = [name for name in catalogue.options("model") if issubclass(component(name), Tiny)]


def test_every_tiny_model_is_described():
    assert sorted(EXPECTED) == MODELS


def source(name, **options):
    return component(name)(**options)


def built(name, **options):
    return source(name, **options).build(HEAD, LABELS)


@pytest.fixture(params=MODELS)
def name(request):
    return request.param


def test_weights_depend_on_the_seed_alone_and_the_global_seed_is_left_alone(name):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = built(name).state_dict()
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(2)
    second, other = built(name).state_dict(), built(name, seed=1).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    matrices = [key for key, tensor in first.items() if tensor.ndim == 2]
    assert len(matrices) > 10
    assert not any(torch.equal(first[key], other[key]) for key in matrices)


def test_sizes_kind_and_positions(name):
    sizes = {"hidden_size": 32, "num_layers": 3, "num_heads": 4}
    bounded = "trained_length" in inspect.signature(component(name)).parameters
    model = built(name, **sizes, **({"trained_length": 70} if bounded else {}))
    kind, positions = EXPECTED[name]
    facts = describe(model)
    reads = "encoder" if kind == "encoder_decoder" else kind  # the library classifies with its encoder alone
    assert (facts.kind, facts.positions, facts.trained_length) == (reads, positions, 70 if bounded else None)
    assert (facts.num_layers, facts.hidden_size, num_heads(model)) == (3, 32, 4)
    assert source(name).kind() == kind == describe(source(name).build(WRITES[kind], [])).kind
    with torch.no_grad():
        assert model(input_ids=torch.arange(5, 75)[None]).logits.shape == (1, 70, 3)


def test_a_token_sees_later_ones_in_an_encoder_alone(name):
    model, ids = built(name), torch.arange(5, 45)[None]
    changed = ids.clone()
    changed[0, 30] = 99
    with torch.no_grad():
        before, after = model(input_ids=ids).logits, model(input_ids=changed).logits
    assert torch.equal(before[:, :30], after[:, :30]) is (EXPECTED[name][0] == "decoder")
    assert not torch.equal(before[:, 30:], after[:, 30:])


def test_is_built_for_evaluation_in_full_precision(name):
    model = built(name)
    source(name).tokenizer()
    assert not any(module.training for module in model.modules())
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_both_rates_of_dropout_take_effect(name):
    """Dropout on attention leaves the fast kernels: there is none unless asked for. T5 has none before its head."""
    for dropout, attention, expected in ((None, 0.0, 0.1), (0.3, 0.0, 0.3), (0.3, 0.2, 0.3)):
        model = built(name, dropout=dropout, attention_dropout=attention)
        on_states, on_attention = rates_of_dropout(model)
        assert set(on_attention.values()) == {attention}
        assert {rate for key, rate in on_states.items() if (name, key) != ("tiny_t5", "dropout")} == {expected}
    with pytest.raises(UserError, match=r"model\.dropout=2"):
        built(name, dropout=2)


def rates_of_dropout(model):
    """By name of the module: on hidden states, and on attention probabilities."""
    on_states, on_attention = {}, {}
    for key, module in model.named_modules():
        of_attention = ATTENTION.search(key)
        rate = getattr(module, "attention_dropout", getattr(module, "dropout", None)) if of_attention else None
        if isinstance(module, torch.nn.Dropout):
            (on_attention if of_attention else on_states)[key] = module.p
        elif isinstance(rate, float):
            on_attention[key] = rate
    return on_states, on_attention


def test_the_config_can_be_changed_before_the_model_is_built(name):
    one = source(name)
    changed = one.build(HEAD, LABELS, lambda config: config.update({"told": 1}))
    assert changed.config.told == 1
    assert not hasattr(one.build(HEAD, LABELS).config, "told")  # one build leaves nothing for the next


def test_reads_with_the_tokenizer_of_the_tiny_models(name):
    text = "The Élan of 42 quick-brown foxes"
    assert source(name).tokenizer()(text).input_ids == make_byte_tokenizer()(text).input_ids
    config = source(name).build(WRITES[EXPECTED[name][0]], []).config
    assert config.vocab_size == len(make_byte_tokenizer())
    assert config.pad_token_id == make_byte_tokenizer().pad_token_id
    if EXPECTED[name][0] != "encoder":
        ends = make_byte_tokenizer().cls_token_id, make_byte_tokenizer().sep_token_id
        assert (config.bos_token_id, config.eos_token_id) == ends


def test_has_a_row_for_every_token_of_either_vocabulary(name):
    for vocabulary in ("letters", "bytes"):
        one = source(name, vocabulary=vocabulary)
        model = one.build(WRITES[EXPECTED[name][0]], [])
        assert model.get_input_embeddings().num_embeddings == len(one.tokenizer())
    with pytest.raises(UserError, match=r"model.vocabulary=words is not one of bytes, letters"):
        source(name, vocabulary="words")
