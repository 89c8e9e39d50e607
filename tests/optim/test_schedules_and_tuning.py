"""Schedules against their closed form; tuning rules against the names of what they freeze."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    BertConfig,
    BertForTokenClassification,
    DistilBertConfig,
    DistilBertForTokenClassification,
)

from ctxlab.core.added_modules import attach
from ctxlab.core.errors import UserError
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_gpt2 import TinyGpt2
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.models.tiny_t5 import TinyT5
from ctxlab.optim.parameters import count_parameters
from ctxlab.optim.schedules.constant import Constant
from ctxlab.optim.schedules.cosine import Cosine
from ctxlab.optim.schedules.linear import Linear
from ctxlab.optim.tuning.freeze_embeddings import FreezeEmbeddings
from ctxlab.optim.tuning.full import Full
from ctxlab.optim.tuning.head import Head
from ctxlab.optim.tuning.top_k import TopK


@given(st.floats(0, 1), st.floats(0, 0.9))
def test_schedules_follow_their_formulae(progress, warmup):
    if progress < warmup:
        expected = {"linear": progress / warmup, "cosine": progress / warmup, "constant": progress / warmup}
    else:
        rest = (progress - warmup) / (1 - warmup)
        expected = {"linear": 1 - rest, "cosine": 0.1 + 0.9 * (1 + math.cos(math.pi * rest)) / 2, "constant": 1.0}
    for name, schedule in (("linear", Linear(warmup)), ("cosine", Cosine(warmup, 0.1)), ("constant", Constant(warmup))):
        assert math.isclose(schedule.factor(progress), expected[name], abs_tol=1e-12), name


def test_a_warm_up_over_the_whole_budget_is_refused():
    with pytest.raises(UserError, match=r"warmup_share=1\.0"):
        Linear(1.0)


def bert():
    return BertForTokenClassification(
        BertConfig(hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32, vocab_size=20)
    )


def distilbert():
    return DistilBertForTokenClassification(
        DistilBertConfig(dim=16, n_layers=3, n_heads=2, hidden_dim=32, vocab_size=20)
    )


def learning(model):
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize("make", [bert, distilbert])
def test_tuning_rules_freeze_what_they_say(make):
    model = make()
    names = {name for name, _ in model.named_parameters()}
    prefix = "bert.encoder.layer" if make is bert else "distilbert.transformer.layer"
    head = {"classifier.weight", "classifier.bias"}
    Full().install(model)
    assert learning(model) == names
    Head().install(model)
    assert learning(model) == head
    TopK(2).install(model)
    assert learning(model) == head | {name for name in names if name.startswith((f"{prefix}.1.", f"{prefix}.2."))}
    FreezeEmbeddings().install(model)
    assert names - learning(model) == {name for name in names if ".embeddings." in name}
    assert count_parameters(model, trainable=True) < count_parameters(model)


def test_more_layers_than_there_are_is_refused():
    with pytest.raises(UserError, match=r"tuning\.k=4 .* 3 layers"):
        TopK(4).install(bert())


def test_frozen_parameters_do_not_change():
    model = bert()
    Head().install(model)
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
    model(torch.ones(1, 8, dtype=torch.long), labels=torch.ones(1, 8, dtype=torch.long)).loss.backward()
    optimizer.step()
    changed = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    assert changed == {"classifier.weight", "classifier.bias"}


TINY = {
    "tiny_bert": (TinyBert, ("token_classification", "masked_lm")),
    "tiny_gpt2": (TinyGpt2, ("token_classification", "causal_lm")),
    "tiny_llama": (TinyLlama, ("token_classification", "causal_lm")),
    "tiny_t5": (TinyT5, ("token_classification", "seq2seq_lm")),
}
"""Each with a head of its own, and with one over its vocabulary: tied but in the Llama."""

EMBEDDINGS = {
    "tiny_bert": {f"bert.embeddings.{name}" for name in (
        "word_embeddings.weight", "position_embeddings.weight", "token_type_embeddings.weight", "LayerNorm.weight",
        "LayerNorm.bias")},
    "tiny_gpt2": {"transformer.wte.weight", "transformer.wpe.weight"},
    "tiny_llama": {"model.embed_tokens.weight"},
    "tiny_t5": {"transformer.shared.weight", "shared.weight"},
}  # fmt: skip
"""As the library names them."""

LAYERS = {
    "tiny_bert": ["bert.encoder.layer.0.", "bert.encoder.layer.1."],
    "tiny_gpt2": ["transformer.h.0.", "transformer.h.1."],
    "tiny_llama": ["model.layers.0.", "model.layers.1."],
    "tiny_t5": ["encoder.block.0.", "encoder.block.1.", "decoder.block.0.", "decoder.block.1."],
}
"""Prefixes of the names of their layers, first to last; the T5 that classifies has its encoder alone."""

HEADS = {
    ("tiny_bert", "token_classification"): {"classifier.weight", "classifier.bias"},
    ("tiny_bert", "masked_lm"): {f"cls.predictions.{name}" for name in (
        "bias", "transform.dense.weight", "transform.dense.bias", "transform.LayerNorm.weight",
        "transform.LayerNorm.bias")},
    ("tiny_gpt2", "token_classification"): {"classifier.weight", "classifier.bias"},
    ("tiny_gpt2", "causal_lm"): set(),
    ("tiny_llama", "token_classification"): {"score.weight", "score.bias"},
    ("tiny_llama", "causal_lm"): {"lm_head.weight"},
    ("tiny_t5", "token_classification"): {"classifier.weight", "classifier.bias"},
    ("tiny_t5", "seq2seq_lm"): set(),
}  # fmt: skip
"""What is not the body's; nothing where the output layer is the table of token embeddings."""


@pytest.fixture(params=HEADS, ids="-".join)
def tiny(request):
    name, head = request.param
    model = TINY[name][0](hidden_size=16, num_layers=2).build(head, ["O", "B-X"] if "token" in head else [])
    names = {name for name, _ in model.named_parameters()}
    encoder_alone = (name, head) == ("tiny_t5", "token_classification")
    prefixes = [f"transformer.{p}" for p in LAYERS[name] if "encoder" in p] if encoder_alone else LAYERS[name]
    layers = [{name for name in names if name.startswith(prefix)} for prefix in prefixes]
    assert all(layers)
    return model, names, EMBEDDINGS[name] & names, layers, HEADS[request.param]


def test_embeddings_are_frozen_in_every_model(tiny):
    model, names, embeddings, _, _ = tiny
    assert embeddings
    FreezeEmbeddings().install(model)
    assert learning(model) == names - embeddings


def test_the_head_of_every_model_learns_alone_or_is_refused_where_it_is_tied(tiny):
    model, _, _, _, head = tiny
    if not head:
        with pytest.raises(UserError, match=r"tuning=head has nothing to train in this .*\(tied\): use tuning=top_k"):
            Head().install(model)
        return
    Head().install(model)
    assert learning(model) == head


@pytest.mark.parametrize("k", [1, 2])
def test_the_last_layers_are_those_before_the_output(tiny, k):
    model, _, _, layers, head = tiny
    TopK(k).install(model)
    assert learning(model) == head.union(*layers[-k:])


def test_layers_are_counted_down_from_the_decoder_into_the_encoder():
    model = TinyT5(hidden_size=16, num_layers=2).build("seq2seq_lm", [])
    TopK(3).install(model)
    assert {name.split(".block.")[0] for name in learning(model)} == {"encoder", "decoder"}
    with pytest.raises(UserError, match="use 1 to 4"):
        TopK(5).install(model)


def test_a_head_of_its_own_beside_encoder_and_decoder_learns():
    model = TinyT5(hidden_size=16, num_layers=2).build("seq2seq_lm", [])
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    Head().install(model)
    assert learning(model) == {"lm_head.weight"}


def test_modules_of_the_strategy_and_the_task_learn_with_the_head():
    model = TinyT5(hidden_size=16, num_layers=1).build("seq2seq_lm", [])
    attach(model, "reading", torch.nn.Linear(2, 2))
    Head().install(model)
    assert learning(model) == {"ctxlab_parts.reading.weight", "ctxlab_parts.reading.bias"}
    FreezeEmbeddings().install(model)
    assert {"ctxlab_parts.reading.weight", "ctxlab_parts.reading.bias"} < learning(model)
