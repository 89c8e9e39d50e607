"""R-Drop against the formula, with scipy's divergence; without dropout it is the plain loss."""

from dataclasses import dataclass
from itertools import cycle

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy
from torch.nn.functional import cross_entropy

from ctxlab.core.errors import UserError
from ctxlab.core.types import NO_LABEL
from ctxlab.objectives.rdrop import RDrop
from ctxlab.objectives.standard import Standard
from ctxlab.tasks.ner import NER
from tests.training.runs import make_job
from tests.training.test_objectives import DOCUMENTS, LABELS, model, same, stepped


class Undrawn(RDrop):
    """Without the check of dropout."""

    def start(self, model):
        del model


def test_without_dropout_it_is_the_plain_loss(tmp_path):
    found, state = stepped(tmp_path / "rdrop", Undrawn(3.0), model())
    assert same(found, stepped(tmp_path / "standard", Standard(), model())[0])
    assert state.tokens == 2 * sum(map(len, DOCUMENTS))


def test_the_divergence_counts(tmp_path):
    light, _ = stepped(tmp_path / "light", RDrop(0.0), model(dropout=0.3))
    heavy, _ = stepped(tmp_path / "heavy", RDrop(3.0), model(dropout=0.3))
    assert not same(heavy, light, tolerance=1e-3)


@dataclass(frozen=True)
class Pass:
    outputs: torch.Tensor
    labels: torch.Tensor
    cut: bool = True


class TwoPasses:
    """Passes whose outputs differ from one to the next."""

    def __init__(self, outputs, labels):
        self.outputs, self.labels = cycle(outputs), labels

    def run(self, items):
        yield Pass(next(self.outputs), self.labels)


def test_the_loss_is_the_formula():
    torch.manual_seed(2)
    outputs, labels = torch.randn(2, 1, 5, 3), torch.tensor([[0, 2, NO_LABEL, 1, 0]])
    task = NER()
    task.labels = LABELS
    first, second = RDrop(2.0).step(TwoPasses(outputs, labels), [], task)
    assert float(first.loss.total) == float(first.loss.weight) == 0
    assert not first.passed.cut
    known = labels[0] != NO_LABEL
    losses = [float(cross_entropy(one[0, known], labels[0, known], reduction="sum")) for one in outputs]
    p, q = (softmax(one[0, known].numpy(), -1) for one in outputs)
    apart = np.mean([(entropy(a, b) + entropy(b, a)) / 2 for a, b in zip(p, q, strict=True)])
    assert float(second.loss.total) == pytest.approx(sum(losses) / 2 + 2.0 * apart * 4, rel=1e-5)
    assert float(second.loss.weight) == 4


def test_what_it_cannot_do_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(UserError, match=r"this model has none: use model\.dropout=0\.1"):
        make_job(tmp_path / "none", "objective=rdrop", "model.dropout=0", "trainer.max_steps=1").run()
    with pytest.raises(UserError, match=r"of labels, places in a text or tokens, which task=relation .* does not"):
        make_job(tmp_path / "relation", "objective=rdrop", "task=relation", "model.dropout=0.1")
    with pytest.raises(UserError, match=r"objective\.alpha=-1 is out of range"):
        RDrop(-1)
