"""The encoder-decoder of tests and smoke runs."""

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM

from ctxlab.core.architecture import describe
from ctxlab.core.errors import UserError
from ctxlab.models.loading.tiny import label_names, vocabulary
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_t5 import TinyT5

HEAD, LABELS = "token_classification", ["O", "B-PER", "I-PER"]


def weights(**options):
    return TinyT5(**options).build(HEAD, LABELS).state_dict()


def test_weights_depend_on_the_seed_alone_and_the_global_seed_is_left_alone():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = weights()
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(2)
    second, other = weights(), weights(seed=1)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["classifier.weight"], other["classifier.weight"])


def test_classifies_with_its_encoder_at_any_length():
    model = TinyT5(hidden_size=32, num_layers=3, num_heads=4).build(HEAD, LABELS)
    facts = describe(model)
    assert (facts.kind, facts.positions, facts.trained_length) == ("encoder", "relative", None)
    assert (facts.num_layers, facts.hidden_size) == (3, 32)
    ids = torch.arange(5, 45).repeat(1, 20)
    with torch.no_grad():
        assert model(input_ids=ids).logits.shape == (1, 800, 3)


def test_writes_with_its_decoder():
    ids = vocabulary()
    source = TinyT5(num_layers=1)
    tokens = {"pad_token_id": 0, "bos_token_id": ids["[CLS]"], "eos_token_id": ids["[SEP]"]}
    config = source.config(vocab_size=len(ids), **tokens)
    config.update(label_names(LABELS))
    model = AutoModelForSeq2SeqLM.from_config(config).eval()
    assert describe(model).kind == "encoder_decoder"
    text = source.tokenizer()("a tale of two cities", return_tensors="pt").input_ids
    written = model.generate(text, max_new_tokens=4, do_sample=False)
    assert written[0, 0] == ids["[PAD]"] == model.config.decoder_start_token_id
    assert written.shape[1] <= 5
    assert model(input_ids=text, labels=text).loss.isfinite()


def test_is_built_for_evaluation():
    model = TinyT5().build(HEAD, LABELS)
    TinyT5().tokenizer()
    assert not model.training


def test_both_rates_of_dropout_take_effect():
    """The library has one for both; dropout on attention leaves the fast kernels."""
    for dropout, attention, expected in ((None, 0.0, 0.1), (0.3, 0.2, 0.3)):
        model = TinyT5(dropout=dropout, attention_dropout=attention).build(HEAD, LABELS)
        block = model.transformer.encoder.block[0]
        assert block.layer[0].dropout.p == block.layer[1].DenseReluDense.dropout.p == expected
        assert block.layer[0].SelfAttention.dropout == attention
    with pytest.raises(UserError, match=r"model\.dropout=2"):
        TinyT5(dropout=2).build(HEAD, LABELS)


def test_reads_with_the_tokenizer_of_the_tiny_models():
    text = "The Élan of 42 quick-brown foxes"
    assert TinyT5().tokenizer()(text).input_ids == TinyBert().tokenizer()(text).input_ids
    assert TinyT5().build(HEAD, LABELS).config.vocab_size == len(TinyT5().tokenizer())
