"""Rules of averaging against closed formulas in numpy, over random weights at random shares of a budget."""

import numpy as np
import pytest
import torch

from ctxlab.config import catalogue
from ctxlab.config.build import build
from ctxlab.core.errors import UserError
from ctxlab.core.optim import Averaging
from ctxlab.optim.averaging.ema import EMA
from ctxlab.optim.averaging.last import Last
from ctxlab.optim.averaging.none import NoAveraging
from ctxlab.optim.averaging.swa import SWA

STEPS = 40


@pytest.fixture
def path():
    """Weights after every step (steps, 3), and the shares of the budget spent after each (steps + 1)."""
    draw = np.random.default_rng(3)
    shares = np.concatenate([[0.0], np.cumsum(draw.uniform(0.2, 1.0, STEPS))])
    return draw.normal(size=(STEPS, 3)), shares / shares[-1]


def seen_of(rule, weights, shares, dtype=torch.float64):
    seen = {}
    for step, row in enumerate(weights):
        rule.update(seen, {"w": torch.tensor(row, dtype=dtype)}, shares[step], shares[step + 1])
    return seen


def mean_of(rule, weights, shares, dtype=torch.float64):
    return rule.mean(seen_of(rule, weights, shares, dtype))["w"].double().numpy()


@pytest.mark.parametrize("half_life", [0.01, 0.1, 3.0])
def test_ema_halves_after_its_share_of_the_budget(path, half_life):
    """Each step's weights count by the share of the budget that it spent, discounted by its age: an integral."""
    weights, shares = path
    counts = 0.5 ** ((1 - shares[1:]) / half_life) - 0.5 ** ((1 - shares[:-1]) / half_life)
    expected = (counts[:, None] * weights).sum(axis=0) / counts.sum()
    np.testing.assert_allclose(mean_of(EMA(half_life), weights, shares), expected, rtol=1e-10, atol=1e-12)


def test_ema_does_not_depend_on_how_the_budget_is_cut_into_steps():
    """A step twice as long counts like two of its halves."""
    one, two = np.array([[1.0], [5.0]]), np.array([[1.0], [1.0], [5.0], [5.0]])
    whole = mean_of(EMA(0.3), one, [0, 0.5, 1])
    np.testing.assert_allclose(mean_of(EMA(0.3), two, [0, 0.25, 0.5, 0.75, 1]), whole, rtol=1e-12)


@pytest.mark.parametrize("start", [0.0, 0.4, 0.99])
def test_swa_is_the_equal_mean_from_its_start_on(path, start):
    weights, shares = path
    np.testing.assert_allclose(
        mean_of(SWA(start), weights, shares), weights[shares[1:] >= start].mean(axis=0), rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize(("points", "every"), [(1, 0.1), (3, 0.1), (4, 0.07), (50, 0.3)])
def test_last_is_the_equal_mean_of_the_last_points(path, points, every):
    weights, shares = path
    ends = np.arange(1, int(1 / every + 1e-9) + 1) * every
    chosen = np.unique([np.argmax(shares[1:] >= end - 1e-9) for end in ends])[-points:]
    expected = weights[chosen].mean(axis=0)
    np.testing.assert_allclose(mean_of(Last(points, every), weights, shares), expected, rtol=1e-12)


@pytest.mark.parametrize("rule", [SWA(0.9), Last(2, 0.5), NoAveraging()], ids=lambda rule: type(rule).__name__)
def test_before_it_begins_there_is_no_mean(rule):
    assert rule.mean(seen_of(rule, np.ones((2, 3)), [0.0, 0.1, 0.2])) == {}


def test_steps_that_spend_nothing_have_a_mean():
    assert mean_of(EMA(0.1), np.array([[2.0], [4.0]]), [0, 0, 0]) == 4.0


@pytest.mark.parametrize("name", catalogue.options("averaging"))
def test_a_rule_keeps_as_many_copies_as_it_says_and_none_of_the_weights_themselves(name, path):
    """The weights of training change in place: what was seen must not change with them."""
    rule = build(catalogue.read(catalogue.option_file("averaging", name)), Averaging)
    weights, shares = path
    given = torch.tensor(weights, dtype=torch.bfloat16)
    seen = {}
    for step in range(STEPS):
        rule.update(seen, {"a.b": given[step]}, shares[step], shares[step + 1])
    copies = {key: value for key, value in seen.items() if "/" in key}
    assert len(copies) == rule.copies
    before = {key: value.clone() for key, value in copies.items()}
    mean = {key: value.clone() for key, value in rule.mean(seen).items()}
    given.zero_()
    assert all(torch.equal(before[key], seen[key]) for key in copies)
    assert mean.keys() == ({"a.b"} if rule.copies else set())
    assert all(value.dtype == torch.float32 and torch.equal(value, rule.mean(seen)[key]) for key, value in mean.items())


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: EMA(0.0), "averaging.half_life=0.0"),
        (lambda: EMA(float("nan")), "averaging.half_life=nan"),
        (lambda: SWA(1.0), "averaging.start=1.0"),
        (lambda: SWA(-0.1), "averaging.start=-0.1"),
        (lambda: Last(0, 0.1), "averaging.points=0"),
        (lambda: Last(2, 0.0), "averaging.every=0.0"),
        (lambda: Last(2, 1.5), "averaging.every=1.5"),
    ],
)
def test_values_without_a_meaning_are_refused(make, said):
    with pytest.raises(UserError, match=said.replace(".", r"\.")):
        make()
