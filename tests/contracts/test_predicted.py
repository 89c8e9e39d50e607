"""What a task declares that it predicts: with their weights, the distributions add up to its loss."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from ctxlab.config import catalogue
from ctxlab.core.task import LABEL_SETS, LABELS, POSITIONS, TOKENS
from ctxlab.core.types import NO_LABEL
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.ner import NER
from ctxlab.tasks.probe import Probe
from ctxlab.tasks.qa import QA
from tests.contracts.task_runs import MODELS, form, supports

NAMES = ["O", "B-X", "I-X", "B-Y"]


def forms():
    """Every task in its form for every kind of model, and variants with other losses."""
    for task in catalogue.options("task"):
        for kind in MODELS:
            if supports(task, kind):
                yield pytest.param(form(task, kind), id=f"{task}-{kind}")
    for task in (Classification(NAMES, multi_label=True), NER(outside_weight=0.3), QA(no_answer_weight=0.3)):
        yield pytest.param(task, id=f"{task.name}-variant")
    yield pytest.param(Probe(form="marking"), id="probe-marking")


def case(task):
    """Outputs, and labels as the task encodes them: two windows of five tokens, the second with padding."""
    torch.manual_seed(7)
    outputs = torch.randn(2, 5, 4, dtype=torch.float32)
    one = torch.tensor([[NO_LABEL, 0, 1, 3, 0], [NO_LABEL, 2, 1, NO_LABEL, NO_LABEL]])
    if task.head == "sequence_classification":
        largest = 2 ** len(NAMES) - 1 if task.predicts == LABEL_SETS else len(NAMES) - 1
        return outputs[:, 0], torch.tensor([[NO_LABEL, largest, largest], [NO_LABEL, 1, NO_LABEL]])
    if task.predicts == POSITIONS and task.name == "qa":
        return outputs[..., :2], torch.tensor([[NO_LABEL, 0, 1, 2, 0], [NO_LABEL, 0, 2, 0, NO_LABEL]])
    if task.predicts == POSITIONS:
        return outputs[..., :1], torch.tensor([[NO_LABEL, 0, 1, 1, 0], [NO_LABEL, 0, 0, NO_LABEL, NO_LABEL]])
    return outputs, one


@pytest.mark.parametrize("task", list(forms()))
def test_the_distributions_add_up_to_the_loss(task):
    if not task.predicts:
        assert task.name in (
            "relation",
            "contrastive",
            "multi",
            "regression",
            "retrieval",
        )  # scores and a threshold; windows of a pass; what members predict; a number
        return
    task.labels = NAMES if task.predicts in (LABELS, LABEL_SETS) else task.labels
    outputs, labels = (case(task)[0].requires_grad_(), case(task)[1])
    loss, found = task.loss(outputs, labels), task.predicted(outputs, labels.clone())
    total = (cross_entropy(found.logits, found.gold, reduction="none") * found.weights).sum()
    assert total.item() == pytest.approx(loss.total.item(), rel=1e-5)
    assert found.weights.sum().item() == pytest.approx(float(loss.weight), rel=1e-6)
    own, expected = (torch.autograd.grad(one, outputs, retain_graph=True)[0] for one in (total, loss.total))
    assert torch.allclose(own, expected, rtol=0, atol=1e-6)


def test_every_kind_of_prediction_is_that_of_a_task():
    assert {param.values[0].predicts for param in forms()} == {LABELS, LABEL_SETS, POSITIONS, TOKENS, ""}
