"""Schedules against their closed form; tuning rules against the names of what they freeze."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertConfig, BertForTokenClassification, DistilBertConfig, DistilBertForTokenClassification

from ctxlab.core.errors import UserError
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
