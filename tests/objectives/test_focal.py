"""Focal loss against the formula in numpy, and against the task's loss where the exponent is 0."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.special import softmax

from ctxlab.core.errors import UserError
from ctxlab.core.task import Predicted
from ctxlab.objectives.focal import Focal
from ctxlab.objectives.standard import Standard
from tests.objectives.linear import Linear, Run, seeded
from tests.training.test_objectives import DOCUMENTS, LONG, model, same


@pytest.mark.parametrize("documents", [DOCUMENTS, LONG], ids=["windows", "steps"])
def test_an_exponent_of_0_is_the_plain_loss(documents, tmp_path):
    found, _ = seeded(tmp_path / "focal", Focal(0), model(dropout=0.3), documents)
    assert same(found, seeded(tmp_path / "standard", Standard(), model(dropout=0.3), documents)[0])


@pytest.mark.parametrize("gamma", [0, 0.5, 1, 2, 5.5])
def test_the_loss_is_the_formula(gamma):
    random = np.random.default_rng(3)
    logits, gold, weights = random.normal(size=(9, 4)) * 3, random.integers(0, 4, 9), random.random(9)
    p = softmax(logits, -1)[np.arange(9), gold]
    expected = np.sum(weights * (1 - p) ** gamma * -np.log(p))
    given = Predicted(torch.tensor(logits), torch.tensor(gold), torch.tensor(weights))
    task = SimpleNamespace(predicted=lambda outputs, labels: given)
    (term,) = Focal(gamma).step(Linear(), [(3, 1)], task)
    assert float(term.loss.total) == pytest.approx(expected, rel=1e-12)
    assert float(term.loss.weight) == pytest.approx(weights.sum())


def test_several_right_places_count_as_their_geometric_mean():
    logits, marked = np.array([[0.3, 2.0, -1.0, 0.5]]), np.array([[0, 0.5, 0, 0.5]])
    p = np.sqrt(np.prod(softmax(logits, -1)[0, [1, 3]]))
    given = Predicted(torch.tensor(logits), torch.tensor(marked), torch.ones(1, dtype=torch.float64))
    (term,) = Focal(2).step(Linear(), [(3, 1)], SimpleNamespace(predicted=lambda outputs, labels: given))
    assert float(term.loss.total) == pytest.approx((1 - p) ** 2 * -np.log(p), rel=1e-12)


@pytest.mark.parametrize("gamma", [0, 0.5, 1, 2])
def test_the_gradient_of_a_sure_prediction_is_finite(gamma):
    """At p = 1 the derivative of (1 − p)^½ is not."""
    logits = torch.tensor([[80.0, -80.0]], requires_grad=True)
    given = Predicted(logits, torch.tensor([0]), torch.ones(1))
    (term,) = Focal(gamma).step(Linear(), [(3, 1)], SimpleNamespace(predicted=lambda outputs, labels: given))
    term.loss.total.backward()
    assert logits.grad.isfinite().all()
    assert logits.grad.abs().max() < 1e-3


def test_a_negative_exponent_is_refused():
    with pytest.raises(UserError, match=r"objective\.gamma=-1 is out of range: give a number of at least 0, such as 2"):
        Focal(-1)


def test_a_pass_without_labels_has_no_loss():
    given = Predicted(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long), torch.zeros(0))
    runner = SimpleNamespace(run=lambda items: [Run(torch.zeros(1, 2, 3), torch.zeros(1, 2))])
    (term,) = Focal(2).step(runner, [], SimpleNamespace(predicted=lambda outputs, labels: given))
    assert float(term.loss.total) == float(term.loss.weight) == 0
