"""Numbers of tokens reach what their tokens reach, over every attention, memory and reading; faults are detected."""

import numpy as np
import pytest
import torch

from ctxlab.command.compose import compose
from ctxlab.config import catalogue
from ctxlab.core.errors import UserError
from ctxlab.core.numbers import Numbers
from ctxlab.core.types import NO_LABEL, Encoded
from ctxlab.models.loading.token_numbers import TokenNumbers
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.optim.tuning.full import Full
from ctxlab.strategies.memory.embedded import io
from ctxlab.tasks.ner import NER
from ctxlab.verification import numbers as checked
from ctxlab.verification.checks import fill_zero_parameters
from ctxlab.verification.numbers import check_numbers
from ctxlab.verification.subject import Subject
from ctxlab.workbench.assemble import assemble, seed_everything
from ctxlab.workbench.parts import make_strategy
from tests.stages.test_verify import BASES, small

LENGTH = 48
MODELS = {"bert": TinyBert, "llama": TinyLlama}
KINDS = {"floats": {"kind": "floats", "size": 3}, "boxes": {"kind": "boxes", "buckets": 8, "pages": 2}}
ATTENTIONS = catalogue.options("strategy/attention")
MEMORIES = catalogue.options("strategy/memory")
READINGS = catalogue.options("strategy/reading")


@pytest.fixture(autouse=True)
def few_probes(monkeypatch):
    monkeypatch.setattr(checked, "NUM_PROBES", 4)


def subject(words, model="bert", numbers="boxes"):
    """A model with numbers and a strategy, in double precision and with zeros filled, as ``verify`` checks it."""
    task = NER(["PER", "LOC"])
    task.learn_labels([])
    strategy = make_strategy(compose("train", list(words)).strategy)
    source = MODELS[model](hidden_size=32, num_layers=2, trained_length=2 * LENGTH, numbers=KINDS[numbers])
    if strategy.reading.wants_scorer:
        strategy.reading.take_scorer(source.build("causal_lm", []))
    seed_everything(1)
    built, facts = assemble(strategy, source, task=task, tuning=Full(), length=LENGTH)
    fill_zero_parameters(built.double().eval())
    none = np.zeros(1, np.int64)
    example = Encoded(none, none, labels=none + NO_LABEL, before=(2,), after=(3,))
    tokens = np.arange(5, 60)
    cpu = torch.device("cpu")
    return Subject(built, strategy, facts, LENGTH, tokens=tokens, example=example, pad_id=0, device=cpu, seed=1)


def first_fit(words, numbers):
    """The check on the first kind of model that the strategy fits."""
    refusals = []
    for model in MODELS:
        try:
            (check,) = check_numbers(subject(words, model, numbers))
        except UserError as error:
            refusals.append(str(error))
        else:
            return check
    raise AssertionError(refusals)


CASES = [
    *((f"attention={name}", ("strategy/attention", name)) for name in ATTENTIONS),
    *((f"memory={name}", ("strategy/memory", name)) for name in MEMORIES),
    *((f"reading={name}", ("strategy/reading", name)) for name in READINGS),
]


@pytest.mark.by_default(
    "floats-attention=local", "boxes-attention=structured", "boxes-memory=recurrent", "floats-memory=segment_cache",
    "boxes-reading=hierarchical",
)  # fmt: skip
@pytest.mark.parametrize("case", [choice for _, choice in CASES], ids=[name for name, _ in CASES])
@pytest.mark.parametrize("numbers", KINDS)
def test_numbers_reach_what_their_tokens_reach(case, numbers):
    group, option = case
    base = BASES[group.split("/")[1]]
    windows = ["strategy.reading.window=24"] if base == "rmt" or option == "hierarchical" else []
    check = first_fit([f"strategy={base}", f"{group}={option}", *windows, *small([case])], numbers)
    assert check.passed, check.detail


def test_a_model_without_numbers_has_no_such_check():
    one = subject(["strategy=chunk"])
    del one.model.ctxlab_parts["numbers"]
    assert check_numbers(one) == []


def test_numbers_without_effect_are_found(monkeypatch):
    one = subject(["strategy=chunk"])
    monkeypatch.setattr(TokenNumbers, "forward", lambda self, given: given.new_zeros(*given.shape[:2], 32))
    (check,) = check_numbers(one)
    assert not check.passed
    assert "which is missing" in check.detail


def test_numbers_that_reach_other_tokens_are_found(monkeypatch):
    own = TokenNumbers.forward
    monkeypatch.setattr(TokenNumbers, "forward", lambda self, given: own(self, given).roll(1, dims=1))
    one = subject(["strategy=chunk", "strategy/attention=local", "strategy.attention.window=2"])
    (check,) = check_numbers(one)
    assert not check.passed
    assert "which is not declared" in check.detail


def test_a_memory_that_moves_numbers_is_found(monkeypatch):
    around = io._around
    monkeypatch.setattr(
        io,
        "_around",
        lambda values, *rest, **more: around(values if values.ndim == 2 else values.flip(1), *rest, **more),
    )
    words = ["strategy=rmt", "strategy.reading.window=24", "strategy.memory.num_tokens=2"]
    words += ["strategy/attention=local", "strategy.attention.window=2", "strategy.attention.num_global=0"]
    (check,) = check_numbers(subject(words))
    assert not check.passed


def test_the_numbers_of_a_document_are_those_that_the_model_takes():
    one = subject(["strategy=chunk"])
    drawn = one.document(50).numbers
    assert drawn.shape == (50, 5)
    assert (drawn[:, 0] <= drawn[:, 2]).all()
    assert Numbers.of(KINDS["boxes"]).count == 5
