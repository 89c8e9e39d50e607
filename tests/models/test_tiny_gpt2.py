"""The decoder with learned positions of tests and smoke runs."""

import torch

from ctxlab.core.architecture import describe
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_gpt2 import TinyGpt2

HEAD, LABELS = "token_classification", ["O", "B-PER", "I-PER"]


def weights(**options):
    return TinyGpt2(**options).build(HEAD, LABELS).state_dict()


def test_weights_depend_on_the_seed_alone_and_the_global_seed_is_left_alone():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = weights()
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(2)
    second, other = weights(), weights(seed=1)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["classifier.weight"], other["classifier.weight"])


def test_is_a_decoder_with_learned_positions():
    facts = describe(TinyGpt2(hidden_size=32, num_layers=3, num_heads=4, trained_length=70).build(HEAD, LABELS))
    assert (facts.kind, facts.positions, facts.trained_length) == ("decoder", "learned", 70)
    assert (facts.num_layers, facts.hidden_size) == (3, 32)


def test_no_token_sees_a_later_one():
    model, ids = TinyGpt2().build(HEAD, LABELS), torch.arange(5, 45)[None]
    changed = ids.clone()
    changed[0, 30] = 99
    with torch.no_grad():
        before, after = model(input_ids=ids).logits, model(input_ids=changed).logits
    assert before.shape == (1, 40, 3)
    assert torch.equal(before[:, :30], after[:, :30])
    assert not torch.equal(before[:, 30:], after[:, 30:])


def test_is_built_for_evaluation_with_its_dropout():
    model = TinyGpt2(dropout=0.3).build(HEAD, LABELS)
    assert not model.training
    assert model.dropout.p == model.transformer.drop.p == 0.3
    assert model.transformer.h[0].attn.attn_dropout.p == 0


def test_reads_with_the_tokenizer_of_the_tiny_models():
    text = "The Élan of 42 quick-brown foxes"
    assert TinyGpt2().tokenizer()(text).input_ids == TinyBert().tokenizer()(text).input_ids
    config = TinyGpt2().build(HEAD, LABELS).config
    assert config.vocab_size == len(TinyGpt2().tokenizer())
    assert (config.pad_token_id, config.bos_token_id, config.eos_token_id) == (0, 2, 3)
