"""Weighted labels against torch's own weights and scikit-learn's inverse frequencies."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn.functional import cross_entropy

from ctxlab.core.errors import UserError
from ctxlab.core.types import NO_LABEL, Encoded
from ctxlab.objectives.standard import Standard
from ctxlab.objectives.weighted import Weighted
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.ner import NER
from tests.objectives.linear import Run, seeded
from tests.training.runs import make_job
from tests.training.test_objectives import DOCUMENTS, LABELS, model, same


def ner(**options):
    task = NER(**options)
    task.labels = LABELS
    return task


def learned(given, task=None, documents=DOCUMENTS):
    objective, task = Weighted(given), task or ner()
    objective.fit(task)
    objective.learn(task, lambda: documents)
    return objective


def test_weights_of_1_are_the_plain_loss(tmp_path):
    ones = learned(dict.fromkeys(LABELS, 1))
    found, _ = seeded(tmp_path / "weighted", ones, model(dropout=0.3))
    assert same(found, seeded(tmp_path / "standard", Standard(), model(dropout=0.3))[0])


def test_the_loss_is_that_of_torch_with_weights():
    torch.manual_seed(1)
    outputs, labels = torch.randn(2, 7, 3), torch.tensor([[0, 1, 2, NO_LABEL, 1, 0, 0], [2, NO_LABEL, 0, 0, 1, 1, 0]])
    runner = SimpleNamespace(run=lambda items: [Run(outputs, labels)])
    (term,) = learned({"O": 0.25, "B-X": 3}).step(runner, [], ner())
    expected = cross_entropy(outputs.flatten(0, 1), labels.flatten(), weight=torch.tensor([0.25, 3.0, 1.0]))
    assert float(term.loss.total / term.loss.weight) == pytest.approx(float(expected), rel=1e-6)


def test_weights_of_the_task_and_of_the_objective_multiply():
    runner = SimpleNamespace(run=lambda items: [Run(torch.zeros(1, 2, 3), torch.tensor([[0, 1]]))])
    (term,) = learned({"O": 0.5, "B-X": 3}).step(runner, [], ner(outside_weight=0.1))
    assert float(term.loss.weight) == pytest.approx(0.5 * 0.1 + 3)


def test_a_type_stands_for_both_its_tags_and_a_tag_for_itself():
    assert learned({"X": 2.0}).weights.tolist() == [1, 2, 2]
    assert learned({"X": 2.0, "I-X": 5}).weights.tolist() == [1, 2, 5]


def test_inverse_frequencies_are_those_of_scikit_learn():
    gold = np.concatenate([one.labels[one.labels != NO_LABEL] for one in DOCUMENTS])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=gold)
    assert learned(None).weights == pytest.approx(expected)


def test_a_document_counts_once_however_long():
    task = Classification(labels=["ham", "spam"])
    documents = [Encoded(np.zeros(n, int), np.arange(n), np.full(n, label)) for n, label in ((50, 0), (3, 1), (4, 1))]
    expected = compute_class_weight("balanced", classes=np.arange(2), y=[0, 1, 1])
    assert learned(None, task, documents).weights == pytest.approx(expected)


def test_a_label_without_examples_has_a_finite_weight():
    task = Classification(labels=["ham", "spam", "rest"])
    documents = [Encoded(np.zeros(2, int), np.arange(2), np.full(2, label)) for label in (0, 1, 1)]
    assert learned(None, task, documents).weights == pytest.approx([1, 0.5, 1])


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["objective.weights={PRE:2.0}"], r"has 'PRE', which is no label; did you mean 'PER'\? Labels: "),
        (["objective.weights={PER:-1}"], r"objective\.weights\.PER=-1 is no weight: give a number of at least 0"),
        (["objective.weights={PER:much}"], r"objective\.weights\.PER=much is no weight"),
        (["objective.weights={}"], "weights nothing: give weights by label, or null"),
        (["task=lm", "model=tiny_gpt2"], "works on predictions of one label of several, which task=lm"),
    ],
)
def test_what_it_cannot_weight_is_refused_in_a_sentence(options, says, tmp_path):
    with pytest.raises(UserError, match=says):
        make_job(tmp_path, "objective=weighted", *options)


def test_sets_of_labels_are_refused():
    with pytest.raises(UserError, match="works on predictions of one label of several, which task=classification"):
        Weighted().fit(Classification(labels=["a", "b"], multi_label=True))
