"""FreeLB against the closed formula of a linear model, and against the same way by hand."""

import pytest
import torch

from ctxlab.core.errors import UserError
from ctxlab.objectives.freelb import FreeLB
from ctxlab.objectives.inner.moving import at_random
from ctxlab.objectives.standard import Standard
from tests.objectives.linear import TOKEN, Linear, seeded
from tests.training.test_objectives import DOCUMENTS, LONG, model, same


@pytest.mark.parametrize("label", [-1, 1])
def test_the_losses_of_a_linear_model_are_the_closed_formula(label):
    """From the window itself in steps of 0.3 in a ball of 0.7: at 0, 0.3, 0.6, 0.7 and 0.7."""
    linear = Linear()
    found = linear.losses(FreeLB(0.7, 5, 0.3, begin=0.0), label)
    assert found == pytest.approx([linear.softplus(label, e) for e in (0, 0.3, 0.6, 0.7, 0.7)], abs=1e-12)
    assert linear.passes == 5


def test_every_step_is_learned_from():
    linear = Linear()
    linear.losses(FreeLB(0.7, 3, 0.3, begin=0.0), 1)
    expected = -sum(torch.sigmoid(-linear.margin(1) + e * linear.w.norm()) for e in (0, 0.3, 0.6)) * linear.w
    assert torch.allclose(linear.table.weight.grad[TOKEN], expected, rtol=0, atol=1e-12)


def test_a_random_beginning_is_the_way_by_hand():
    """The first move is drawn as the pass is seeded; the second is projected onto the ball."""
    torch.manual_seed(11)
    linear = Linear()
    first = at_random(0.2)(torch.zeros(1, 1, 4, dtype=torch.float64))[0, 0]
    found = linear.losses(FreeLB(0.25, 2, 0.2, begin=0.2), 1)
    second = first - 0.2 * linear.w / linear.w.norm()  # uphill is against w, as the label is 1
    second *= min(1.0, 0.25 / float(second.norm()))
    at = [float(torch.nn.functional.softplus(-linear.margin(1) - move @ linear.w)) for move in (first, second)]
    assert found == pytest.approx(at, abs=1e-12)


def test_the_beginning_is_within_its_length_and_another_for_another_seed():
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(at_random(0.5)(torch.zeros(2, 300, 16)))
        assert float(draws[-1].norm(dim=-1).max()) <= 0.5
        assert float(draws[-1].norm(dim=-1).mean()) == pytest.approx(0.5 / 3**0.5, rel=0.02)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize("documents", [DOCUMENTS, LONG], ids=["windows", "steps"])
def test_without_a_length_it_is_the_plain_loss_with_the_same_dropout(documents, tmp_path):
    found, state = seeded(tmp_path / "freelb", FreeLB(1e-12, 3, 1e-12, 1e-12), model(dropout=0.3), documents)
    assert same(found, seeded(tmp_path / "standard", Standard(), model(dropout=0.3), documents)[0])
    assert state.tokens == 3 * sum(map(len, documents))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((0, 3, 0.1, 0), r"objective\.epsilon=0 moves nothing"),
        ((0.1, 1, 0.1, 0), r"objective\.steps=1 is out of range: give a number of at least 2"),
        ((0.1, 3, 0.1, -1), r"objective\.begin=-1 is out of range"),
    ],
)
def test_what_moves_nothing_is_refused(given, says):
    with pytest.raises(UserError, match=says):
        FreeLB(*given)
