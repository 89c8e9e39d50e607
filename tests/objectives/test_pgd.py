"""PGD against the closed formula of a linear model, and against the same steps by hand."""

import pytest
import torch

from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.objectives.fgm import FGM
from ctxlab.objectives.freelb import FreeLB
from ctxlab.objectives.pgd import PGD
from ctxlab.objectives.smart import SMART
from ctxlab.objectives.standard import Standard
from tests.objectives.linear import Linear, seeded
from tests.training.test_objectives import DOCUMENTS, LONG, gradient, loss_by_hand, model, num_labels, same

EPSILON, STEP = 0.3, 0.2


@pytest.mark.parametrize("label", [-1, 1])
@pytest.mark.parametrize(("steps", "reached"), [(1, 0.3), (2, 0.6), (3, 0.7), (5, 0.7)])
def test_the_loss_of_a_linear_model_is_the_closed_formula(label, steps, reached):
    """Steps of 0.3 in a ball of 0.7: the gradient of a linear model has one direction, so they add up."""
    linear = Linear()
    plain, moved = linear.losses(PGD(0.7, steps, 0.3), label)
    assert plain == pytest.approx(linear.softplus(label), abs=1e-12)
    assert moved == pytest.approx(linear.softplus(label, reached), abs=1e-12)
    assert linear.passes == steps + 1


def test_the_inner_steps_leave_no_gradient():
    linear = Linear()
    linear.losses(PGD(0.7, 3, 0.3), 1)
    expected = -sum(torch.sigmoid(-linear.margin(1) + e * linear.w.norm()) for e in (0, 0.7)) * linear.w
    assert torch.allclose(linear.table.weight.grad[3], expected, rtol=0, atol=1e-12)


def test_the_gradient_is_that_of_both_ends_by_hand(tmp_path):
    """Embeddings looked up in the table and given to the model, without hooks, batches or padding."""
    found, state = seeded(tmp_path, PGD(EPSILON, 3, STEP), model())
    hand, total = model().train(), 0.0
    for encoded in DOCUMENTS:
        embedded = hand.get_input_embeddings().weight[torch.from_numpy(encoded.input_ids)][None]
        move = torch.zeros_like(embedded)
        for _ in range(3):
            (slope,) = torch.autograd.grad(loss_by_hand(hand, encoded, embedded + move), embedded, retain_graph=True)
            move = move.detach() + STEP * slope / slope.norm(dim=-1, keepdim=True).clamp(min=1e-12)
            move = move * (EPSILON / move.norm(dim=-1, keepdim=True).clamp(min=1e-12)).clamp(max=1)
        total = total + loss_by_hand(hand, encoded, embedded) + loss_by_hand(hand, encoded, embedded + move)
    assert same(found, gradient(hand, total / (2 * num_labels())))
    assert state.tokens == 4 * sum(map(len, DOCUMENTS))  # every pass is paid for


def test_one_long_step_is_fgm(tmp_path):
    found, _ = seeded(tmp_path / "pgd", PGD(EPSILON, 1, 1.0), model(), LONG)
    assert same(found, seeded(tmp_path / "fgm", FGM(EPSILON), model(), LONG)[0])


def test_windows_that_are_steps_are_moved_each_by_its_own_gradient(tmp_path):
    moved, _ = seeded(tmp_path / "moved", PGD(EPSILON, 2, STEP), model(), LONG)
    barely, _ = seeded(tmp_path / "barely", PGD(1e-12, 2, 1e-12), model(), LONG)
    plain, _ = seeded(tmp_path / "plain", Standard(), model(), LONG)
    assert same(barely, plain)
    assert not same(moved, plain, tolerance=1e-4)


def test_all_passes_draw_the_same_dropout(tmp_path):
    barely, _ = seeded(tmp_path / "pgd", PGD(1e-12, 3, 1e-12), model(dropout=0.3))
    assert same(barely, seeded(tmp_path / "standard", Standard(), model(dropout=0.3))[0])


class Drawing(Linear):
    """Records what every pass draws first."""

    def run(self, items):
        self.drawn = [*getattr(self, "drawn", []), float(torch.rand(()))]
        yield from super().run(items)


@pytest.mark.parametrize(
    "objective", [FGM(0.7), PGD(0.7, 4, 0.3), FreeLB(0.7, 4, 0.3, 0.1), SMART(1.0, 0.7, 2, 0.3, 0.1)], ids=option
)
def test_every_pass_of_the_search_draws_the_same(objective):
    linear = Drawing()
    linear.losses(objective, 1)
    assert len(linear.drawn) == linear.passes > 1
    assert len(set(linear.drawn)) == 1


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((0, 3, 0.1), r"objective\.epsilon=0 moves nothing"),
        ((0.1, 3, 0), r"objective\.step_size=0 moves nothing"),
        ((0.1, 0, 0.1), r"objective\.steps=0 is out of range: give a number of at least 1"),
    ],
)
def test_what_moves_nothing_is_refused(given, says):
    with pytest.raises(UserError, match=says):
        PGD(*given)
