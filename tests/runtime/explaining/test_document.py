"""A document in its windows: merged outputs, declared reach, exact zeros outside of it, and every way of linking."""

import numpy as np
import pytest
import torch

from ctxlab.core.architecture import describe
from ctxlab.core.errors import UserError
from ctxlab.core.explanation import SENTENCE, TOKEN, Target
from ctxlab.core.types import ADDED
from ctxlab.explanation.gradient import Gradient
from ctxlab.explanation.integrated import Integrated
from ctxlab.explanation.occlusion import Occlusion
from ctxlab.explanation.shapley import Shapley
from ctxlab.verification.declared import declare
from ctxlab.verification.probes import Probe
from ctxlab.verification.subject import Subject
from tests.explanation.subjects import PAD, document, encoded, logit, tiny

LOCAL = ("strategy=longformer", "strategy.attention.window=2", "strategy.attention.num_global=0")
BIGBIRD = (
    "strategy=bigbird", "strategy.attention.window=4", "strategy.attention.block=4", "strategy.attention.num_random=1",
)  # fmt: skip

STRATEGIES = [
    ("ner", ("strategy=chunk",), 20),
    ("ner", ("strategy=chunk", "strategy.reading.overlap_tokens=6", "strategy.reading.merge=mean"), 20),
    ("ner", ("strategy=truncate",), 20),
    ("ner", LOCAL, 64),
    ("ner", BIGBIRD, 64),
    ("ner", ("strategy=hierarchical", "strategy.reading.window=16"), 64),
    ("ner", ("strategy=rmt", "strategy.reading.window=16", "strategy.memory.num_tokens=2"), 64),
    ("lm", ("strategy=chunk",), 20),
    ("lm", (*LOCAL, "strategy/positions=keep"), 64),
]
IDS = ["chunk", "overlap", "truncate", "local", "bigbird", "hierarchical", "rmt", "decoder", "local decoder"]


def opened(kind, words, length, count=40):
    task, strategy, model = tiny(kind, *words, length=length)
    return document(task, strategy, model, encoded(count), length=length), task, strategy, model


@pytest.mark.by_default("overlap", "local", "rmt")
@pytest.mark.parametrize(("kind", "words", "length"), STRATEGIES, ids=IDS)
def test_outputs_are_those_of_the_reader_and_values_add_up(kind, words, length):
    """Oracles: ``Reader.read``; and completeness, which needs gradients through all links of windows."""
    subject, *_ = opened(kind, words, length)
    if kind == "ner":
        (merged,) = subject.reader.read([subject.encoded])
        read = np.flatnonzero(merged.seen)
        np.testing.assert_allclose(subject.outputs(read), merged.outputs[read], rtol=1e-4, atol=1e-5)
    target = logit(12, 1)
    found = Integrated(steps=64, max_steps=256, tolerance=0.01).attribute(subject, target)
    assert found.facts["complete"] is True
    plain, empty = subject.scores(target, [np.zeros(0, np.int64), np.arange(40)])
    assert found.score == pytest.approx(plain, rel=1e-3, abs=1e-4)
    assert found.base == pytest.approx(empty, rel=1e-3, abs=1e-4)


@pytest.mark.by_default("overlap", "local", "rmt")
@pytest.mark.parametrize(("kind", "words", "length"), STRATEGIES, ids=IDS)
def test_nothing_outside_of_the_reach_has_a_value(kind, words, length):
    subject, *_ = opened(kind, words, length)
    target = logit(12, 1)
    reach = subject.reached(target)
    for mechanism in (
        Gradient(),
        Gradient("mask"),
        Integrated(steps=2, max_steps=2),
        Occlusion(),
        Shapley(permutations=3),
    ):
        found = mechanism.attribute(subject, target)
        for tokens, value in zip(subject.units[found.unit], found.values, strict=True):
            assert value == 0 or reach[tokens].any(), (mechanism, tokens)
    values = Gradient().attribute(subject, target).values
    assert (values[reach] != 0).mean() > 0.9


@pytest.mark.by_default("overlap", "local", "rmt")
@pytest.mark.parametrize(("kind", "words", "length"), STRATEGIES, ids=IDS)
def test_the_reach_is_that_of_ctxlab_verify(kind, words, length):
    """Oracle: the declarations as ``ctxlab verify`` composes them, for a probe a token. With memory ours is wider."""
    subject, _, strategy, model = opened(kind, words, length)
    checked = Subject(
        model=model, strategy=strategy, facts=describe(model), length=length, tokens=np.arange(6, 200),
        example=subject.encoded, pad_id=PAD, device=torch.device("cpu"), seed=0,
    )  # fmt: skip
    probes = [Probe("", np.array([token])) for token in range(40)]
    expected = np.zeros(40, bool)
    for item in subject.items:
        for window, declared in zip(item.windows, declare(checked, item, probes), strict=True):
            places = np.flatnonzero(window.token_index == 12)
            if len(places):
                expected |= declared.could[-1][places].any(0).numpy()
    ours = subject.reached(logit(12, 1))
    assert not (expected & ~ours).any()
    if strategy.memory.num_added == 0:
        np.testing.assert_array_equal(ours, expected)


def test_a_head_with_one_output_per_window_reaches_through_the_token_that_it_reads():
    task, strategy, model = tiny("classification", *LOCAL, length=64)
    subject = document(task, strategy, model, encoded(40), length=64)
    target = Target("label", np.arange(40), lambda rows: rows[:, 0].double().mean())
    reach = subject.reached(target)
    assert np.flatnonzero(reach).tolist() == [0, 1, 2, 3]  # two layers of two tokens from [CLS]
    values = Gradient().attribute(subject, target).values
    assert np.flatnonzero(values).tolist() == [0, 1, 2, 3]


def test_a_pattern_that_is_wider_than_declared_is_seen(monkeypatch):
    subject, _, strategy, _ = opened("ner", LOCAL, 64)
    narrow = type(strategy.attention)(window=1, num_global=0)
    monkeypatch.setattr(strategy.attention, "pattern", lambda inputs, row: narrow.allowed)
    reach = subject.reached(logit(12, 1))
    values = Gradient().attribute(subject, logit(12, 1)).values
    assert np.abs(values[~reach]).max() > 0


def test_variants_are_those_of_a_document_with_mask_tokens():
    """Oracle: the model itself on each variant alone."""
    subject, _, _, model = opened("ner", ("strategy=chunk",), 20)
    hidden = [np.array([12]), np.array([3, 14, 30]), np.zeros(0, np.int64), np.array([30])]
    found = subject.scores(logit(12, 1), hidden)
    window = subject.windows[0]
    for score, own in zip(found, hidden, strict=True):
        ids = np.where(
            np.isin(window.token_index, own) & (window.token_index != ADDED), subject.mask_id, window.input_ids
        )
        with torch.no_grad():
            expected = model(input_ids=torch.as_tensor(ids)[None]).logits[0, 13, 1]
        assert score == pytest.approx(float(expected), rel=1e-4)
    assert found[3] == found[2]  # token 30 is in another window


@pytest.mark.slow
def test_small_passes_change_nothing():
    subject, task, strategy, model = opened("ner", LOCAL, 64)
    small = document(task, strategy, model, encoded(40), length=64, at_once=1)
    for mechanism in (Integrated(), Occlusion(unit=SENTENCE), Shapley()):
        ones, others = (mechanism.attribute(own, logit(12, 1)).values for own in (subject, small))
        np.testing.assert_allclose(ones, others, rtol=1e-3, atol=1e-5)


def test_gradients_through_cached_keys_are_refused_with_what_can():
    subject, *_ = opened("lm", ("strategy=transformer_xl", "strategy.reading.window=16"), 64)
    with pytest.raises(UserError, match=r"cached keys of strategy/memory=segment_cache: use explanation=occlusion"):
        Gradient().attribute(subject, logit(20, 1))
    values = Occlusion(unit=SENTENCE).attribute(subject, logit(20, 1)).values
    assert np.abs(values[0]) > 0  # a window before that of the token
    assert len(subject.units[TOKEN]) == 40
