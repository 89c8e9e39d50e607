"""Ways of learning one corpus after another, against closed formulas and gradients taken one at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from torch.func import functional_call, grad, vmap

from ctxlab.command.compose import compose
from ctxlab.config import catalogue
from ctxlab.config.build import build
from ctxlab.continual.ewc import EWC
from ctxlab.continual.lwf import LWF, distilled
from ctxlab.continual.remembering.fisher import fisher
from ctxlab.continual.remembering.quadratic import Quadratic
from ctxlab.continual.replay import Replay
from ctxlab.core.continual import Continual, Lesson, Past, Teacher
from ctxlab.core.errors import UserError
from ctxlab.core.passes import Passed
from ctxlab.core.task import Loss
from ctxlab.core.types import NO_LABEL, Document
from ctxlab.objectives.rdrop import RDrop
from ctxlab.objectives.standard import Standard

NAMES = catalogue.options("continual")


@dataclass(frozen=True)
class Item:
    inputs: torch.Tensor
    labels: torch.Tensor


class Runner:
    """Runs items one pass each through a linear model, as ``runtime.forward.Passes`` does through a Transformer."""

    def __init__(self, model):
        self.model = model

    def run(self, items) -> Iterator[Passed]:
        for item in items:
            yield Passed(
                self.model(item.inputs)[None], item.labels[None], [(0, 0)], tokens=1, width=1, cut=True, padded_tokens=4
            )

    def through(self, model, strategy):
        return Runner(model)


def classes(labels=("a", "b", "c"), head="token_classification"):
    def loss(outputs, labels):
        total = torch.nn.functional.cross_entropy(
            outputs.flatten(0, 1), labels.flatten(), ignore_index=NO_LABEL, reduction="sum"
        )
        return Loss(total, (labels != NO_LABEL).sum())

    return SimpleNamespace(loss=loss, head=head, labels=list(labels), name="tags")


@pytest.fixture
def made():
    """A linear tagger and documents of 1 to 4 tokens."""
    torch.manual_seed(3)
    model = torch.nn.Linear(4, 3).double()
    documents = [Item(torch.randn(n, 4, dtype=torch.float64), torch.randint(0, 3, (n,))) for n in (1, 2, 3, 4, 2, 1, 3)]
    return model, documents


def test_fisher_is_the_squared_gradient_of_one_document_after_another(made):
    """Oracle: ``torch.func`` for each document of single tokens and autograd in a loop for all of them."""
    model, documents = made
    found = fisher(dict(model.named_parameters()), [[one] for one in documents], Runner(model), classes())
    labels = sum(len(one.labels) for one in documents)
    for name, parameter in model.named_parameters():
        squares = torch.zeros_like(parameter)
        for one in documents:
            loss = torch.nn.functional.cross_entropy(model(one.inputs), one.labels, reduction="sum")
            squares += torch.autograd.grad(loss, parameter)[0] ** 2
        torch.testing.assert_close(found[name], squares / labels, rtol=1e-12, atol=1e-15)
        assert parameter.grad is None


def test_fisher_of_single_tokens_is_that_of_per_sample_gradients(made):
    model, _ = made
    inputs, labels = torch.randn(9, 4, dtype=torch.float64), torch.randint(0, 3, (9,))

    def loss(parameters, one, label):
        return torch.nn.functional.cross_entropy(functional_call(model, parameters, (one[None],)), label[None])

    per_sample = vmap(grad(loss), in_dims=(None, 0, 0))(dict(model.named_parameters()), inputs, labels)
    documents = [[Item(one[None], label[None])] for one, label in zip(inputs, labels, strict=True)]
    found = fisher(dict(model.named_parameters()), documents, Runner(model), classes())
    for name, own in per_sample.items():
        torch.testing.assert_close(found[name], (own**2).mean(0), rtol=1e-12, atol=1e-15)
        assert (own.mean(0) ** 2).sum() < 0.5 * found[name].sum()  # the square of the mean is something else


def test_a_document_in_several_items_has_one_gradient(made):
    model, documents = made
    whole = documents[3]
    parts = [Item(whole.inputs[:1], whole.labels[:1]), Item(whole.inputs[1:], whole.labels[1:])]
    found = [fisher(dict(model.named_parameters()), [one], Runner(model), classes()) for one in ([whole], parts)]
    for name in found[0]:
        torch.testing.assert_close(found[0][name], found[1][name], rtol=1e-12, atol=1e-15)


def orthogonal(rows, scales):
    """A design whose columns are orthogonal, of these lengths, so that its curvature is diagonal."""
    columns, _ = torch.linalg.qr(torch.randn(rows, len(scales), dtype=torch.float64))
    return columns * torch.tensor(scales, dtype=torch.float64)


def test_on_orthogonal_designs_ewc_is_the_joint_least_squares_solution():
    """Three regressions in sequence, the last of any design; the oracle is one regression on all of their rows."""
    torch.manual_seed(0)
    designs = [orthogonal(9, [1.0, 2.0, 0.5]), orthogonal(7, [0.3, 1.0, 4.0]), torch.randn(8, 3, dtype=torch.float64)]
    targets = [torch.randn(len(design), dtype=torch.float64) for design in designs]
    stages = []
    for design, target in zip(designs, targets, strict=True):
        penalty = Quadratic(stages)

        def loss(weights, design=design, target=target, penalty=penalty):
            own = ((design @ weights - target) ** 2).sum() / 2
            return own if not penalty.importance else own + penalty.of({"w": weights})

        start = torch.zeros(3, dtype=torch.float64)  # one step of Newton's method is exact
        hessian = torch.autograd.functional.hessian(loss, start)
        weights = start - torch.linalg.solve(hessian, torch.autograd.functional.jacobian(loss, start))
        stages.append(({"w": (design**2).sum(0)}, {"w": weights}))
        seen = len(stages)
        joint = torch.linalg.lstsq(torch.cat(designs[:seen]), torch.cat(targets[:seen])[:, None]).solution[:, 0]
        torch.testing.assert_close(weights, joint, rtol=1e-12, atol=1e-12)


def test_ewc_adds_the_parabola_to_the_loss_of_every_label(made):
    model, documents = made
    mechanism = EWC(strength=0.7)
    task = classes()
    lesson = Lesson(model, task, Runner(model), [[one] for one in documents])
    remembered = [dict(mechanism.remember(lesson))]
    ended = {name: one.detach().clone() for name, one in model.named_parameters()}
    torch.nn.init.normal_(model.weight)
    objective = mechanism.objective(Standard(), Past(remembered))
    objective.start(model)
    terms = list(objective.step(Runner(model), documents, task))
    plain = list(Standard().step(Runner(model), documents, task))
    importance = fisher({"weight": model.weight}, [], Runner(model), task)
    assert importance["weight"].sum() == 0  # nothing is known of no documents
    expected = sum(
        float((remembered[0][f"importance.{name}"] * (one.detach() - ended[name]) ** 2).sum()) / 2
        for name, one in model.named_parameters()
    )
    assert expected > 0
    for term, without in zip(terms, plain, strict=True):
        more = float((term.loss.total - without.loss.total).detach())
        assert more == pytest.approx(0.7 * expected * float(without.loss.weight), rel=1e-12)
        assert term.loss.weight == without.loss.weight
    assert mechanism.objective(Standard(), Past()).__class__ is Standard


def test_a_teacher_of_the_same_weights_has_nothing_to_say(made):
    model, documents = made
    outputs = model(documents[3].inputs)[None]
    passed = Passed(outputs, documents[3].labels[None], [(0, 0)], tokens=4, width=4, cut=True, padded_tokens=4)
    apart = distilled(passed, outputs.detach(), 2.0)
    (gradient,) = torch.autograd.grad(apart, model.weight)
    assert float(apart.detach()) == pytest.approx(0, abs=1e-7)
    assert gradient.abs().max() < 1e-7


@pytest.mark.parametrize("pooled", [False, True])
def test_distillation_is_the_divergence_of_softened_distributions(pooled):
    torch.manual_seed(1)
    outputs, said = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    labels = torch.tensor([[0, NO_LABEL, 1], [2, 3, NO_LABEL]])
    kept = [(0, 0), (0, 2), (1, 0), (1, 1)]
    if pooled:
        outputs, said, kept = outputs[:, 0], said[:, 0], [(0,), (1,)]
    apart = 0.0
    for place in kept:
        p, q = (torch.softmax(logits[place] / 3.0, -1) for logits in (said, outputs))
        apart += float((p * (p / q).log()).sum())
    passed = Passed(outputs, labels, [(0, 0)], tokens=1, width=3, cut=True, padded_tokens=4)
    assert float(distilled(passed, said, 3.0)) == pytest.approx(9 * apart / len(kept), rel=1e-5)


def test_words_outside_in_which_the_teacher_sees_an_entity_are_left_to_it():
    """Label O is 1: the second word is O in the new data, and of an old type for the teacher."""
    labels = torch.tensor([[0, 1, 1, NO_LABEL]])
    outputs = torch.randn(1, 4, 3, generator=torch.Generator().manual_seed(2))
    said = torch.tensor([[[0.0, 5, 0], [0, 0, 5], [0, 5, 0], [0, 0, 5]]])

    class Fixed:
        def run(self, items):
            yield Passed(outputs, labels, [(0, 0)], tokens=4, width=4, cut=True, padded_tokens=4)

        def through(self, model, strategy):
            return SimpleNamespace(
                run=lambda items: iter([Passed(said, labels, [(0, 0)], tokens=4, width=4, cut=True, padded_tokens=4)])
            )

    objective = LWF(0.5, 2.0).objective(Standard(), Past(teacher=lambda: Teacher(None, None)))
    objective.start(None)
    (term,) = objective.step(Fixed(), [], classes(("a", "O", "b")))
    log = outputs.log_softmax(-1)[0]
    passed = Passed(outputs, labels, [(0, 0)], tokens=4, width=4, cut=True, padded_tokens=4)
    expected = -(log[0, 0] + log[2, 1]) + 0.5 * 3 * distilled(passed, said, 2.0)
    assert float(term.loss.total) == pytest.approx(float(expected), rel=1e-6)
    assert int(term.loss.weight) == 3


def test_a_teacher_is_no_use_for_outputs_that_are_no_distribution():
    objective = LWF(1.0, 2.0).objective(Standard(), Past(teacher=lambda: Teacher(None, None)))
    objective.start(None)
    with pytest.raises(UserError, match="which task=tags does not predict"):
        list(objective.step(Runner(None), [], classes(head="question_answering")))
    with pytest.raises(UserError, match="leave objective= out"):
        LWF(1.0, 2.0).objective(RDrop(1.0), Past())


def corpora(*sizes):
    return [[Document(f"d{index}", {"n": stage}, "x") for index in range(size)] for stage, size in enumerate(sizes)]


def test_replay_keeps_a_share_of_every_earlier_stage_under_ids_of_their_own():
    given = corpora(10, 5, 4)
    mechanism = Replay(share=0.3)
    assert mechanism.documents(0, given[:1], 1) == given[0]
    found = mechanism.documents(2, given, 1)
    assert found[:4] == given[2]
    assert [one.fields["n"] for one in found[4:]] == [0, 0, 0, 1, 1]  # 3 of 10, and 1.5 of 5 rounded to 2
    assert len({one.id for one in found}) == len(found)
    assert found == mechanism.documents(2, given, 1)
    first = [one.id for one in mechanism.documents(1, given[:2], 1)[5:]]
    assert first == [one.id for one in found[4:7]]  # the same ones in every later stage
    assert [one.id for one in mechanism.documents(2, given, 2)] != [one.id for one in found]
    assert len(Replay(share=0.01).documents(1, given[:2], 1)) == 5 + 1
    assert len(Replay(share=1.0).documents(2, given, 1)) == 19


@pytest.mark.parametrize("name", NAMES)
def test_every_mechanism_is_built_and_changes_nothing_in_the_first_stage(name):
    mechanism = build(compose("train", [f"continual={name}"]).continual, Continual)
    given = Standard()
    assert mechanism.objective(given, Past()) is given
    assert mechanism.begins_with(0) is None
    assert mechanism.documents(0, corpora(3), 1) == corpora(3)[0]
    assert mechanism.in_sequence == (name != "none")
    for trained in range(3):
        for scored in range(3):
            assert mechanism.scores_with(trained, scored) == (
                min(trained, scored) if name == "lora_per_task" else trained
            )


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["continual=replay", "continual.share=0"], "continual.share=0"),
        (["continual=replay", "continual.share=1.5"], "continual.share=1.5"),
        (["continual=ewc", "continual.strength=-1"], "continual.strength=-1"),
        (["continual=lwf", "continual.temperature=0"], "continual.temperature=0"),
        (["continual=lwf", "continual.strength=0"], "continual.strength=0"),
    ],
)
def test_values_out_of_range_are_refused(words, says):
    with pytest.raises(UserError, match=says):
        build(compose("train", words).continual, Continual)
