"""The decoder of tests and smoke runs: quick, the same every time, with the tokenizer of the other tiny models."""

import pytest
import torch

from ctxlab.core.architecture import describe
from ctxlab.core.errors import UserError
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_llama import TinyLlama

HEAD, LABELS = "token_classification", ["O", "B-PER", "I-PER"]


def weights(**options):
    return TinyLlama(**options).build(HEAD, LABELS).state_dict()


def test_weights_depend_on_the_seed_alone_and_the_global_seed_is_left_alone():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = weights()
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(2)
    second, other = weights(), weights(seed=1)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["score.weight"], other["score.weight"])


def test_is_a_decoder_with_rotary_positions():
    facts = describe(TinyLlama(hidden_size=32, num_layers=3, num_heads=4).build(HEAD, LABELS))
    assert (facts.kind, facts.positions, facts.trained_length) == ("decoder", "rotary", 1024)
    assert (facts.num_layers, facts.hidden_size) == (3, 32)


def test_no_token_sees_a_later_one():
    model, ids = TinyLlama().build(HEAD, LABELS), torch.arange(5, 45)[None]
    changed = ids.clone()
    changed[0, 30] = 99
    with torch.no_grad():
        before, after = model(input_ids=ids).logits, model(input_ids=changed).logits
    assert before.shape == (1, 40, 3)
    assert torch.equal(before[:, :30], after[:, :30])
    assert not torch.equal(before[:, 30:], after[:, 30:])


def test_is_built_for_evaluation():
    model = TinyLlama().build(HEAD, LABELS)
    TinyLlama().tokenizer()
    assert not model.training


def test_options_reach_the_model():
    model = TinyLlama(hidden_size=32, num_heads=4, trained_length=100, rope_theta=5e5).build(HEAD, LABELS)
    assert model.config.max_position_embeddings == 100
    assert torch.allclose(model.model.rotary_emb.inv_freq, 5e5 ** (-torch.arange(4) / 4))
    assert model.dropout.p == 0.1
    assert TinyLlama(dropout=0.0).build(HEAD, LABELS).dropout.p == 0.0
    with pytest.raises(UserError, match=r"model\.dropout=2"):
        TinyLlama(dropout=2).build(HEAD, LABELS)


def test_the_config_can_be_changed_before_the_model_is_built():
    source = TinyLlama()
    source.build(HEAD, LABELS, lambda config: config.rope_parameters.update(rope_theta=77.0))
    model = source.build(HEAD, LABELS, lambda config: setattr(config, "hidden_act", "relu"))
    assert isinstance(model.model.layers[0].mlp.act_fn, torch.nn.ReLU)
    assert model.config.rope_parameters["rope_theta"] == 10_000  # one build leaves nothing for the next


def test_reads_with_the_tokenizer_of_the_tiny_models():
    text = "The Élan of 42 quick-brown foxes"
    assert TinyLlama().tokenizer()(text).input_ids == TinyBert().tokenizer()(text).input_ids
    assert TinyLlama().build(HEAD, LABELS).config.vocab_size == len(TinyLlama().tokenizer())
