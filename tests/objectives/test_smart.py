"""SMART against the closed formula of a linear model, with scipy's divergence, and against plain training."""

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from scipy.stats import entropy

from ctxlab.core.errors import UserError
from ctxlab.objectives.inner.divergence import from_teacher, symmetric
from ctxlab.objectives.smart import SMART
from ctxlab.objectives.standard import Standard
from tests.objectives.linear import Linear, seeded
from tests.training.test_objectives import DOCUMENTS, LONG, model, same


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_loss_of_a_linear_model_is_the_closed_formula(seed):
    """A move by ±ε along w, the sign from the random beginning, changes the logit z by s = ±ε‖w‖."""
    torch.manual_seed(seed)
    linear = Linear()
    (found,) = linear.losses(SMART(2.0, 0.7, 2, 0.7, begin=1e-7), 1)
    z, s = float(linear.margin(1)), 0.7 * float(linear.w.norm())
    expected = [linear.softplus(1) + 2.0 * k * s * (expit(z + k * s) - expit(z)) for k in (-1, 1)]
    assert min(abs(found - one) for one in expected) < 1e-12
    assert linear.passes == 5


def test_divergences_are_those_of_scipy():
    random = np.random.default_rng(1)
    one, other = random.normal(size=(2, 6, 4))
    p, q = softmax(one, -1), softmax(other, -1)
    both = [entropy(a, b) + entropy(b, a) for a, b in zip(p, q, strict=True)]
    assert symmetric(torch.tensor(one), torch.tensor(other)).numpy() == pytest.approx(np.array(both), rel=1e-12)
    cold = [9 * entropy(a, b) for a, b in zip(softmax(one / 3, -1), softmax(other / 3, -1), strict=True)]
    found = from_teacher(torch.tensor(one), torch.tensor(other), 3.0)
    assert found.numpy() == pytest.approx(np.array(cold), rel=1e-12)


def test_what_a_teacher_says_already_has_no_gradient():
    taught = torch.randn(6, 4, dtype=torch.float64)
    own = taught.clone().requires_grad_()
    from_teacher(taught, own, 3.0).sum().backward()
    assert float(own.grad.abs().max()) < 1e-15


@pytest.mark.parametrize("documents", [DOCUMENTS, LONG], ids=["windows", "steps"])
def test_where_nothing_moves_it_is_the_plain_loss_with_the_same_dropout(documents, tmp_path):
    still = SMART(1.0, 1e-12, 1, 1e-12, begin=1e-12)
    found, state = seeded(tmp_path / "smart", still, model(dropout=0.3), documents)
    assert same(found, seeded(tmp_path / "standard", Standard(), model(dropout=0.3), documents)[0])
    assert state.tokens == 4 * sum(map(len, documents))


@pytest.mark.parametrize("documents", [DOCUMENTS, LONG], ids=["windows", "steps"])
def test_the_divergence_counts(documents, tmp_path):
    found, _ = seeded(tmp_path / "smart", SMART(5.0, 0.3, 1, 0.3, begin=1e-3), model(), documents)
    assert not same(found, seeded(tmp_path / "standard", Standard(), model(), documents)[0], tolerance=1e-4)


def test_it_moves_further_than_at_random(tmp_path):
    """The search finds a move that changes predictions more than one of the same length that is drawn."""
    torch.manual_seed(3)
    linear = Linear()
    random = linear.losses(SMART(1.0, 0.3, 1, 1e-9, begin=0.3), 1)[0] - linear.softplus(1)
    torch.manual_seed(3)
    searched = linear.losses(SMART(1.0, 0.3, 3, 0.3, begin=0.3), 1)[0] - linear.softplus(1)
    assert searched > 1.5 * random > 0


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((0, 0.1, 1, 0.1, 0.1), r"objective\.weight=0 has no effect"),
        ((1, 0.1, 1, 0.1, 0), r"objective\.begin=0 leaves the gradient of the divergence at 0"),
        ((1, 0.1, 0, 0.1, 0.1), r"objective\.steps=0 is out of range"),
    ],
)
def test_what_has_no_effect_is_refused(given, says):
    with pytest.raises(UserError, match=says):
        SMART(*given)
