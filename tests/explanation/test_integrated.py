"""Integrated gradients: captum with the same quadrature, a linear model's closed form, completeness, more steps."""

import captum.attr
import numpy as np
import pytest
import torch

from ctxlab.core.errors import UserError
from ctxlab.core.explanation import Path, Target
from ctxlab.explanation.integrated import Integrated
from tests.explanation.subjects import MASK, NOTHING, Game, document, encoded, logit, tiny
from tests.explanation.test_gradient import embeddings


@pytest.mark.parametrize("baseline", ["mask", "zero"])
def test_values_are_captums(baseline):
    task, strategy, model = tiny("ner", scale=2.0)
    subject = document(task, strategy, model, encoded(20))
    found = Integrated(steps=16, max_steps=16, baseline=baseline).attribute(subject, logit(7, 1))
    given = embeddings(model, subject.windows[0].input_ids)
    base = given.clone()
    base[0, 1:-1] = embeddings(model, [MASK])[0] if baseline == "mask" else 0
    oracle = captum.attr.IntegratedGradients(lambda own: model(inputs_embeds=own).logits[:, 8, 1])
    values, delta = oracle.attribute(
        given, base, n_steps=16, method="gausslegendre", return_convergence_delta=True, internal_batch_size=16
    )
    expected = values.sum(-1)[0].detach().numpy()
    np.testing.assert_allclose(found.values, expected[1:-1], rtol=1e-3, atol=1e-4)
    error = found.facts["completeness_error"] * abs(found.score - found.base)
    assert error == pytest.approx(abs(float(delta)), abs=1e-4)
    assert np.abs(expected).max() > 1e-3


def test_values_add_up_over_windows_whose_score_is_not_linear():
    """The label of a document is a function of all windows: values are found one window at a time, and add up."""
    task, strategy, model = tiny("classification", length=16, scale=4.0)
    subject = document(task, strategy, model, encoded(40), length=16)
    assert len(subject.items) == 3
    target = Target("label", np.arange(40), lambda rows: (rows[:, 0] - rows[:, 1]).square().mean().double())
    found = Integrated(steps=32, max_steps=32).attribute(subject, target)
    assert found.values.sum() == pytest.approx(found.score - found.base, rel=1e-2)
    assert abs(found.score - found.base) > 1e-3
    hidden, whole = subject.scores(target, [np.arange(40), np.zeros(0, np.int64)])
    assert found.base == pytest.approx(hidden, rel=1e-4)
    assert found.score == pytest.approx(whole, rel=1e-4)


class Curve(Game):
    """A score f(x1, x2) of two tokens with embeddings of width 1 that move from 0 to their values."""

    def __init__(self, function, values):
        super().__init__(lambda there: 0.0, len(values))
        self.function, self.goal, self.steps = function, torch.tensor(values), []

    def path(self, target, shares, baseline):
        if len(shares) > 2:
            self.steps.append(len(shares))
        points = (torch.as_tensor(shares)[:, None] * self.goal).requires_grad_()
        scores = self.function(points)
        (grad,) = torch.autograd.grad(scores.sum(), points)
        return Path(scores.detach().numpy(), (grad * self.goal).numpy(), np.zeros(len(shares)))


def test_a_linear_function_gives_its_terms_and_a_quadratic_one_its_closed_form():
    linear = Curve(lambda x: 2 * x[:, 0] - 3 * x[:, 1] + 1, [1.5, 0.5])
    np.testing.assert_allclose(Integrated().attribute(linear, NOTHING).values, [3.0, -1.5], atol=1e-12)
    product = Curve(lambda x: x[:, 0] * x[:, 1], [2.0, 3.0])  # each of the two gets half of 2 · 3
    np.testing.assert_allclose(Integrated(steps=3).attribute(product, NOTHING).values, [3.0, 3.0], atol=1e-12)


def test_the_steep_part_of_the_way_gets_more_steps_until_the_error_is_small_or_the_limit_is_reached():
    """The score is a step within a fiftieth of the way: each token's value is its part of the way in closed form."""
    steep = Curve(lambda x: (400 * (x.double().sum(1) - 0.9)).sigmoid(), [0.4, 0.6])
    found = Integrated(steps=8, max_steps=128, tolerance=0.001).attribute(steep, NOTHING)
    assert found.facts["complete"] is True
    assert found.facts["completeness_error"] <= 0.001
    np.testing.assert_allclose(found.values, [0.4, 0.6], atol=0.002)  # both move at a constant speed: 0.4 and 0.6 of 1
    assert steep.steps[0] == 8
    assert set(steep.steps[1:]) == {10}  # two halves with four points each, and the scores of two ends
    assert found.facts["steps"] == 8 * len(steep.steps)
    even = Integrated(steps=128, max_steps=128, tolerance=0.001).attribute(steep, NOTHING)
    assert even.facts["completeness_error"] > 10 * found.facts["completeness_error"]  # as many points, all alike
    found = Integrated(steps=2, max_steps=4, tolerance=1e-6).attribute(steep, NOTHING)
    assert (found.facts["steps"], found.facts["complete"]) == (4, False)
    assert found.facts["completeness_error"] > 1e-6


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"steps": 0}, "explanation.steps=0 is too small"),
        ({"steps": 8, "max_steps": 4}, "explanation.max_steps=4 is below explanation.steps=8"),
        ({"tolerance": 0.0}, "explanation.tolerance=0.0 is not above 0"),
        ({"baseline": "noise"}, "explanation.baseline=noise is not known"),
    ],
)
def test_bad_options(options, expected):
    with pytest.raises(UserError, match=expected):
        Integrated(**options)
