"""The check of each single head, on every attention part in every kind of model, and on faulty heads."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ctxlab.config import catalogue
from ctxlab.config.build import build
from ctxlab.core.architecture import describe
from ctxlab.core.strategy import Attention, Strategy
from ctxlab.core.types import Encoded
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.models.tiny_t5 import TinyT5
from ctxlab.strategies.attention.dynamic_heads import DynamicHeads
from ctxlab.strategies.curriculum.constant import Constant
from ctxlab.strategies.memory.none import NoMemory
from ctxlab.strategies.memory.segment_cache import SegmentCache
from ctxlab.strategies.positions.keep import Keep
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.strategies.reading.segments import Segments
from ctxlab.verification.heads import check_heads
from ctxlab.verification.subject import Subject
from tests.contracts.task_runs import SHORT

LENGTH = 48
UNBIASED = {"adaptive_span", "dynamic_heads", "lsh"}
"""Parts that refuse a model whose scores have a relative bias."""

MODELS = {"bert": TinyBert, "llama": TinyLlama, "t5": TinyT5}


def subject(attention, kind="bert", **parts):
    model = MODELS[kind](hidden_size=32, num_layers=2, num_heads=4).build("token_classification", ["O", "B-X"])
    facts = describe(model)
    if facts.kind not in attention.supports:
        pytest.skip("does not support this kind of model")
    strategy = replace(Strategy("test", Chunk(), Keep(), attention, NoMemory(), Constant()), **parts)
    strategy.memory.fit(strategy.reading.longest(LENGTH))
    attention.install(model)
    strategy.memory.install(model)
    none = np.zeros(0, np.int64)
    return Subject(
        model=model.double().eval(),
        strategy=strategy,
        facts=facts,
        length=LENGTH,
        tokens=np.arange(5, 60),
        example=Encoded(none, none, none),
        pad_id=0,
        device=torch.device("cpu"),
        seed=1,
    )


def part(name):
    content = catalogue.read(catalogue.option_file("strategy/attention", name))
    short = {key: value for key, value in SHORT.items() if isinstance(content.get(key, ""), int | None)}
    needed = {"reference": 16} if name == "scaled" else {}  # else the trained length, which a T5 does not have
    return build(content | {key: max(value // 2, 1) for key, value in short.items()} | needed, Attention)


@pytest.mark.covering
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("name", catalogue.options("strategy/attention"))
def test_the_heads_of_every_part_are_as_declared(name, kind):
    attention = part(name)
    if kind == "t5" and name in UNBIASED:
        pytest.skip("refuses this model")
    check = check_heads(subject(attention, kind))
    assert check.passed is (True if attention.exact and not attention.looks_ahead else None), check.detail


def test_keys_of_a_cache_are_distinguished_from_those_of_the_window():
    memory = SegmentCache(8)
    check = check_heads(subject(part("full"), "llama", memory=memory, reading=Segments(16)))
    assert check.passed, check.detail


@pytest.mark.covering
@pytest.mark.parametrize("name", ["strided", "fixed", "shifted"])
@pytest.mark.parametrize("kind", MODELS)
def test_swapped_halves_are_found(name, kind, monkeypatch):
    attention = part(name)
    honest = type(attention).plans
    monkeypatch.setattr(type(attention), "plans", lambda part, *sizes: honest(part, *sizes)[::-1])
    check = check_heads(subject(attention, kind))
    assert check.passed is False
    assert "head 1, token" in check.detail


def test_a_missing_head_is_found(monkeypatch):
    attention = DynamicHeads(reference=24, least=1)
    assert check_heads(subject(attention)).passed
    honest = DynamicHeads.heads
    monkeypatch.setattr(DynamicHeads, "pattern_of_head", lambda part, inputs, row, head, num: (
        lambda query, key, length: part.allowed(query, key, length) & (head <= honest(part, length, num))
    ))  # fmt: skip
    check = check_heads(subject(attention))
    assert "does not attend" in check.detail
