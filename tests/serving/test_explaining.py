"""Explanations take turns with documents, pass by pass, and leave the model as it was."""

import json

import pytest

import ctxlab
from ctxlab.config.build import build
from ctxlab.core.data import Record
from ctxlab.core.explanation import Explanation
from ctxlab.serving.refusal import Refusal
from ctxlab.serving.scheduler import Scheduler
from ctxlab.serving.why import Why, asked
from ctxlab.workbench.explaining.explainer import make_explainer
from ctxlab.workbench.explaining.named import Named
from tests.serving.test_scheduler import LONG, SHORT, put, turn

GRADIENT = {"_target_": "ctxlab.explanation.gradient.Gradient"}
FEW = {"id": "few", "text": "Ada came to Port Ada. The Brisk sailed to Halden. " * 6}


@pytest.fixture(scope="module")
def bench(trained):
    return ctxlab.load(trained, "trainer.tokens_per_forward=256", "context=256", "strategy=chunk")._bench


@pytest.fixture
def named(bench):
    return Named(bench, build(GRADIENT, Explanation), targets=2)


@pytest.fixture
def made(bench):
    return Scheduler(bench.answerer(), bench.tokenizer, max_waiting=8)


def finished(made, ticket):
    """Turns until a ticket has its answer."""
    for number in range(1, 400):
        turn(made)
        if ticket.done.done():
            return number
    raise AssertionError


@pytest.mark.parametrize("name", ["gradient", "integrated", "occlusion", "rollout"])
def test_an_explanation_beside_others_is_that_of_a_document_alone(made, named, bench, name):
    (one,) = put(made, FEW, why=Why(named(name), ""))
    (other,) = put(made, LONG, key="other")
    turns = finished(made, one)
    finished(made, other) if not other.done.done() else None
    alone = make_explainer(bench, named(name).explainer.explanation, 2)
    (expected,) = alone.explain_record(Record(FEW, "a test"))
    assert json.dumps(one.done.result(0)[0].record) == json.dumps(expected)
    assert turns > 2
    answerer = bench.answerer()
    (line,) = answerer.answers(answerer.documents([Record(LONG, "a test")]))
    assert other.done.result(0)[0] == line


def test_a_short_document_waits_for_one_pass_of_an_explanation(made, named):
    (one,) = put(made, LONG, why=Why(named("occlusion"), ""))
    for _ in range(5):
        turn(made)
    assert not one.done.done()
    for _ in range(3):
        (short,) = put(made, SHORT, key="")
        assert finished(made, short) <= 2
    assert one.tokens_run > 0
    made.leave(one)
    made.turn()


def test_an_explanation_that_nobody_waits_for_leaves_the_model_as_it_was(made, named, bench):
    tables = [module for module in bench.model.modules() if type(module).__name__ == "Embedding"]
    learned = [parameter.requires_grad for parameter in bench.model.parameters()]
    (one,) = put(made, FEW, why=Why(named("integrated"), ""))
    while not any(table._forward_hooks for table in tables):
        turn(made)
    (begun,) = made._ring._turns
    made.leave(one)
    made.turn()
    assert not begun._thread.is_alive()
    assert not any(table._forward_hooks for table in tables)
    assert [parameter.requires_grad for parameter in bench.model.parameters()] == learned
    assert not made._ring


def test_an_explanation_that_fails_is_one_sentence(made, named, monkeypatch, caplog):
    mechanism = named("gradient")

    def fail(*_):
        raise ValueError("canary")

    monkeypatch.setattr(mechanism.explainer.explanation, "attribute", fail)
    (one,) = put(made, FEW, why=Why(mechanism, ""))
    finished(made, one)
    with pytest.raises(Refusal, match="ValueError") as caught:
        one.done.result(0)
    assert (caught.value.status, "canary" in caplog.text + caught.value.sentence) == (500, False)


def test_the_mechanism_and_the_part_are_taken_from_the_body():
    assert asked({"text": "a", "explanation": "gradient"}) == ({"text": "a"}, "gradient", "")
    assert asked({"text": "a", "explained": "label spam"}) == ({"text": "a"}, "", "label spam")
    with pytest.raises(Refusal, match="are texts"):
        asked({"text": "a", "explained": 3})
