"""Rollout: by hand, and of the library's own attention weights; under sparse patterns nothing is beyond the pattern."""

import numpy as np
import pytest
import torch

from ctxlab.core.errors import UserError
from ctxlab.core.explanation import Attended
from ctxlab.explanation.rollout import Rollout, roll_out
from tests.explanation.subjects import document, encoded, logit, tiny


def test_two_layers_by_hand():
    first = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
    second = np.array([[0.6, 0.4, 0.0], [0.0, 1.0, 0.0], [0.0, 0.8, 0.2]])
    window = Attended(np.array([-1, 0, 1]), [torch.tensor(first), torch.tensor(second)], torch.tensor([0.0, 0.0, 1.0]))
    # Row 2 of 0.5 (I + A2) · 0.5 (I + A1): [0, .4, .6] times [[1, 0, 0], [.25, .75, 0], [.1, .15, .75]].
    np.testing.assert_allclose(roll_out(window), [0.16, 0.39, 0.45], atol=1e-12)


def test_weights_are_the_librarys():
    task, strategy, model = tiny("ner", scale=2.0)
    subject = document(task, strategy, model, encoded(20))
    found = Rollout().attribute(subject, logit(7, 1))
    ids = torch.as_tensor(subject.windows[0].input_ids)[None]
    model.set_attn_implementation("eager")
    weights = model(input_ids=ids, output_attentions=True).attentions
    matrix = np.eye(22)
    for layer in weights:
        matrix = 0.5 * (np.eye(22) + layer[0].mean(0).detach().numpy()) @ matrix
    np.testing.assert_allclose(found.values, matrix[8, 1:-1], atol=1e-5)
    assert found.values.sum() + found.added == pytest.approx(1, abs=1e-5)


def test_the_label_of_a_document_has_its_windows_by_their_tokens():
    task, strategy, model = tiny("classification", length=16)
    subject = document(task, strategy, model, encoded(30), length=16)
    target = logit(0, 0)
    target = type(target)("label", np.arange(30), lambda rows: rows.sum())
    starts = [float(window.start.sum()) for window in subject.attended(target, 99)]
    np.testing.assert_allclose(starts, [14 / 30, 14 / 30, 2 / 30], atol=1e-6)
    assert [int(window.start.argmax()) for window in subject.attended(target, 99)] == [0, 0, 0]


@pytest.mark.parametrize(
    "words", [("strategy=longformer", "strategy.attention.window=2", "strategy.attention.num_global=0")]
)
def test_nothing_is_beyond_the_pattern(words):
    task, strategy, model = tiny("ner", *words, length=64)
    subject = document(task, strategy, model, encoded(40), length=64)
    values = Rollout().attribute(subject, logit(20, 1)).values
    assert np.flatnonzero(values).tolist() == list(range(16, 25))  # two layers of two tokens to each side


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ("strategy=hierarchical", "strategy.reading.window=16"),
            "strategy/reading=hierarchical passes between windows",
        ),
        (("strategy=rmt", "strategy.reading.window=16"), "strategy/memory=recurrent carries between windows"),
        (("strategy=reformer",), "strategy/attention=lsh chooses pairs by hidden states"),
    ],
)
def test_what_has_no_known_weights_is_refused(words, expected):
    task, strategy, model = tiny("ner", *words, length=64)
    subject = document(task, strategy, model, encoded(40), length=64)
    with pytest.raises(UserError, match=rf"explanation=rollout .*{expected}: use explanation=gradient"):
        Rollout().attribute(subject, logit(20, 1))


def test_a_window_that_is_too_long_is_refused_with_what_can():
    task, strategy, model = tiny("ner")
    with pytest.raises(UserError, match=r"A window of 22 tokens .*explanation.longest=21: use explanation=gradient"):
        Rollout(longest=21).attribute(document(task, strategy, model, encoded(20)), logit(0, 0))
