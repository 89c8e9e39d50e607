"""FGM against the same step by hand, and against the closed formula of a linear model."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from ctxlab.core.errors import UserError
from ctxlab.core.task import Loss
from ctxlab.models.tiny_t5 import TinyT5
from ctxlab.objectives.fgm import FGM
from ctxlab.objectives.standard import Standard
from tests.objectives.linear import Linear, Run
from tests.training.test_objectives import (
    DOCUMENTS,
    EPSILON,
    LONG,
    gradient,
    loss_by_hand,
    model,
    num_labels,
    same,
    stepped,
)


def test_the_gradient_is_that_of_both_passes_by_hand(tmp_path):
    """Embeddings looked up in the table and given to the model, without hooks, batches or padding."""
    found, state = stepped(tmp_path, FGM(EPSILON), model())
    hand, total = model().train(), 0.0
    for encoded in DOCUMENTS:
        embedded = hand.get_input_embeddings().weight[torch.from_numpy(encoded.input_ids)][None]
        first = loss_by_hand(hand, encoded, embedded)
        (slope,) = torch.autograd.grad(first, embedded, retain_graph=True)
        pushed = embedded + EPSILON * slope / slope.norm(dim=-1, keepdim=True).clamp(min=1e-12)
        total = total + first + loss_by_hand(hand, encoded, pushed)
    assert same(found, gradient(hand, total / (2 * num_labels())))
    assert state.tokens == 2 * sum(map(len, DOCUMENTS))  # both passes are paid for


@pytest.mark.parametrize("label", [-1, 1])
def test_the_loss_of_a_linear_model_is_the_closed_formula(label):
    """The worst move of length ε lowers the margin y(w·x + b) by ε‖w‖."""
    linear = Linear()
    plain, moved = linear.losses(FGM(0.7), label)
    assert plain == pytest.approx(linear.softplus(label), abs=1e-14)
    assert moved == pytest.approx(linear.softplus(label, 0.7), abs=1e-14)


def test_both_passes_draw_the_same_dropout(tmp_path):
    barely, _ = stepped(tmp_path / "fgm", FGM(1e-12), model(dropout=0.3))
    once, _ = stepped(tmp_path / "standard", Standard(), model(dropout=0.3))
    assert same(barely, once)


def test_embeddings_that_are_not_trained_are_moved_too(tmp_path):
    def frozen():
        one = model()
        one.get_input_embeddings().requires_grad_(False)
        return one

    trained, _ = stepped(tmp_path / "trained", FGM(EPSILON), model())
    found, _ = stepped(tmp_path / "frozen", FGM(EPSILON), frozen())
    assert all(torch.allclose(found[name], trained[name], rtol=0, atol=1e-9) for name in found if "word" not in name)


def test_windows_that_are_steps_are_moved_each_by_its_own_gradient(tmp_path):
    moved, _ = stepped(tmp_path / "moved", FGM(EPSILON), model(), LONG)
    barely, _ = stepped(tmp_path / "barely", FGM(1e-12), model(), LONG)
    plain, _ = stepped(tmp_path / "plain", Standard(), model(), LONG)
    assert same(barely, plain)
    assert not same(moved, plain, tolerance=1e-4)


def test_no_move_is_refused():
    with pytest.raises(UserError, match=r"objective\.epsilon=0 moves nothing"):
        FGM(0)


class Translating:
    """Passes over a T5 in double precision, whose encoder and decoder look tokens up in modules of their own."""

    def __init__(self):
        self.model = TinyT5(hidden_size=16, num_layers=1, num_heads=2, name="tiny_t5", seed=3, dropout=0.0).build(
            "seq2seq_lm", []
        )
        self.model.double().train()
        self.source, self.target = torch.tensor([[5, 9, 12, 7]]), torch.tensor([[8, 11, 6]])

    def run(self, items):
        start = self.model.prepare_decoder_input_ids_from_labels(labels=self.target)
        yield Run(self.model(input_ids=self.source, decoder_input_ids=start).logits, self.target)

    def loss(self, outputs, labels):
        return Loss(cross_entropy(outputs[0], labels[0], reduction="sum"), torch.tensor(3.0))

    def by_hand(self, move=None):
        """The loss from looked-up embeddings of both stacks, which are returned with it."""
        table = self.model.get_input_embeddings().weight
        start = self.model.prepare_decoder_input_ids_from_labels(labels=self.target)
        read, written = (table[ids].detach().requires_grad_() for ids in (self.source, start))
        given = [
            one if move is None else one + moved for one, moved in zip((read, written), move or (0, 0), strict=True)
        ]
        outputs = self.model(inputs_embeds=given[0], decoder_inputs_embeds=given[1]).logits
        return self.loss(outputs, self.target).total, (read, written)


def test_both_stacks_of_an_encoder_decoder_are_moved():
    task, objective = Translating(), FGM(EPSILON)
    objective.start(task.model)
    steps = objective.step(task, [], task)
    plain = next(steps).loss.total
    plain.backward()
    found = next(steps).loss.total.detach()
    loss, embedded = task.by_hand()
    move = [EPSILON * g / g.norm(dim=-1, keepdim=True).clamp(min=1e-12) for g in torch.autograd.grad(loss, embedded)]
    assert plain.item() == pytest.approx(loss.item(), rel=1e-12)
    expected = task.by_hand(move)[0].item()
    assert expected > plain.item() + 1e-3
    assert float(found) == pytest.approx(expected, rel=1e-12)
