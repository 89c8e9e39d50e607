"""Gradient × input of a tiny model: captum is the oracle, window by window."""

import captum.attr
import numpy as np
import pytest
import torch

from ctxlab.core.errors import UserError
from ctxlab.explanation.gradient import Gradient
from tests.explanation.subjects import MASK, document, encoded, logit, tiny


def embeddings(model, ids):
    table = model.get_input_embeddings()
    return table(torch.as_tensor(np.asarray(ids)))[None].detach()


@pytest.mark.parametrize("kind", ["ner", "lm"])
def test_values_are_captums(kind):
    task, strategy, model = tiny(kind)
    tokens = encoded(20)
    subject = document(task, strategy, model, tokens)
    found = Gradient().attribute(subject, logit(7, 1))
    ids = subject.windows[0].input_ids
    place = int(np.flatnonzero(subject.windows[0].token_index == 7)[0])
    given = embeddings(model, ids)
    oracle = captum.attr.InputXGradient(lambda own: model(inputs_embeds=own).logits[:, place, 1])
    expected = oracle.attribute(given.requires_grad_()).sum(-1)[0].detach().numpy()
    np.testing.assert_allclose(found.values, expected[1:-1], rtol=1e-4, atol=1e-5)
    assert found.added == pytest.approx(expected[[0, -1]].sum(), rel=1e-4, abs=1e-5)
    assert found.score == pytest.approx(float(model(inputs_embeds=given).logits[0, place, 1].detach()), rel=1e-5)
    assert np.abs(expected).max() > 1e-3


def test_relative_to_the_mask_token_added_tokens_have_no_value():
    task, strategy, model = tiny("ner")
    subject = document(task, strategy, model, encoded(20))
    found = Gradient("mask").attribute(subject, logit(7, 1))
    given = embeddings(model, subject.windows[0].input_ids).requires_grad_()
    (grad,) = torch.autograd.grad(model(inputs_embeds=given).logits[0, 8, 1], given)
    away = given - embeddings(model, [MASK])
    expected = (grad * away).sum(-1)[0].detach().numpy()
    np.testing.assert_allclose(found.values, expected[1:-1], rtol=1e-4, atol=1e-5)
    assert found.added == 0


def test_windows_are_put_back_on_the_document_and_overlaps_add_up():
    """Oracle: the sum over both windows of what captum gives for each, where a token's output is their mean."""
    words = ("strategy=chunk", "strategy.reading.overlap_tokens=10", "strategy.reading.merge=mean")
    task, strategy, model = tiny("ner", *words, length=22)
    subject = document(task, strategy, model, encoded(30), length=22)
    assert [len(own) for own in subject.windows] == [22, 22]
    found = Gradient().attribute(subject, logit(14, 1))
    expected = np.zeros(30)
    for window in subject.windows:
        place = int(np.flatnonzero(window.token_index == 14)[0])
        oracle = captum.attr.InputXGradient(lambda own, place=place: model(inputs_embeds=own).logits[:, place, 1])
        values = oracle.attribute(embeddings(model, window.input_ids).requires_grad_()).sum(-1)[0].detach().numpy()
        np.add.at(expected, window.token_index[1:-1], values[1:-1] / 2)
    np.testing.assert_allclose(found.values, expected, rtol=1e-4, atol=1e-5)
    assert found.values[:3].any()
    assert found.values[-3:].any()


def test_weights_learn_again_afterwards_and_nothing_is_left_installed():
    task, strategy, model = tiny("ner")
    before = {name: len(module._forward_hooks) for name, module in model.named_modules()}
    Gradient().attribute(document(task, strategy, model, encoded(9)), logit(3, 0))
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert {name: len(module._forward_hooks) for name, module in model.named_modules()} == before


def test_bad_options():
    with pytest.raises(UserError, match=r"explanation.baseline=black is not known: use zero or mask"):
        Gradient("black")
