import numpy as np
import pytest

from ctxlab.comparison.compare import Contender, Rules
from ctxlab.comparison.conclusion import Answer, Cost, conclude
from tests.comparison.simulated import means

BASE = np.repeat(np.random.default_rng(0).normal(0.6, 0.1, (1, 15)), 3, axis=0)


def shifted(name, mean, spread=0.0, seeds=3):
    """Differences to ``BASE`` with exactly this mean, and this spread over documents."""
    noise = np.random.default_rng(len(name)).normal(size=15)
    noise = (noise - noise.mean()) / noise.std()
    return Contender(name, means((BASE + mean + spread * noise)[:seeds]))


CHUNK = shifted("chunk at 512", 0.0)


def test_the_cheapest_is_enough():
    """Mean 0.004 and t(14) · 0.02 / √14 = 2.145 · 0.00535 = 0.0115 to both sides."""
    found = conclude([shifted("longformer at 2,048", 0.004, 0.02), CHUNK], Cost([3.1, 1.0]), Rules(margin=0.02))
    assert found.sentence == (
        "chunk at 512 is enough: longformer at 2,048 adds +0.004 [−0.007, 0.015] at 3.1 times the time."
    )
    assert (found.answer, found.reference, found.challenger) == (Answer.ENOUGH, "chunk at 512", "longformer at 2,048")
    assert found.cost_ratio == pytest.approx(3.1)


def test_the_dearer_one_is_worth_it():
    """The best estimate is that of a third one, but it is not significant."""
    others = [shifted("longformer at 2,048", 0.05, 0.02), shifted("dense at 2,048", 0.06, 0.3)]
    found = conclude([CHUNK, *others], Cost([10, 31, 50]), Rules(), "F1")
    assert found.answer is Answer.WORTH
    assert found.sentence == (
        "longformer at 2,048 is worth 3.1 times the time of chunk at 512: it adds +0.050 F1 [0.039, 0.061]."
    )


def test_what_is_not_decided_says_what_would_have_been_found():
    """(2.145 + t(14) at 0.2, 0.868) · 0.00535 = 0.0161."""
    found = conclude([CHUNK, shifted("longformer at 2,048", 0.004, 0.02)], Cost([1.0, 3.1]), Rules(margin=0.01))
    assert found.answer is Answer.UNDECIDED
    assert found.sentence == (
        "Whether longformer at 2,048 is worth 3.1 times the time of chunk at 512 is undecided: it adds +0.004 "
        "[−0.007, 0.015]. A difference of 0.016 would have been detected with probability 80 %."
    )


def test_enough_means_no_other_one_is_better_by_more_than_the_margin():
    others = [shifted("longformer", 0.004, 0.001), shifted("dense", -0.01, 0.08)]
    assert conclude([CHUNK, *others], Cost([1, 3, 5]), Rules()).answer is Answer.UNDECIDED
    assert conclude([CHUNK, others[0]], Cost([1, 3]), Rules()).answer is Answer.ENOUGH
    assert conclude([CHUNK, shifted("dense", -0.2, 0.08)], Cost([1, 3]), Rules()).answer is Answer.ENOUGH


def test_one_seed_and_equal_costs():
    found = conclude(
        [shifted("chunk", 0.0, seeds=1), shifted("dense", 0.05, 0.01, seeds=1)],
        Cost([1.0, 1.02], "the time per document"),
        Rules(),
    )
    assert found.sentence == (
        "dense is better than chunk in the same time per document: it adds +0.050 [0.044, 0.056]. "
        "With one seed this is about two trained models, not two strategies."
    )


def test_perplexity():
    found = conclude(
        [CHUNK, shifted("dense", -0.05, 0.01)], Cost([1.0, 2.0]), Rules(lower_is_better=True), "perplexity"
    )
    assert found.answer is Answer.WORTH
    assert "it changes perplexity by −0.050 [−0.056, −0.044]." in found.sentence
    found = conclude([CHUNK, shifted("dense", 0.05, 0.01)], Cost([1.0, 2.0]), Rules(lower_is_better=True))
    assert found.sentence.startswith("chunk at 512 is enough: dense changes by +0.050")
    maybe = conclude([CHUNK, shifted("dense", -0.004, 0.02)], Cost([1.0, 2.0]), Rules(lower_is_better=True))
    assert maybe.answer is Answer.UNDECIDED, "it may be better by 0.015"


def test_too_few_documents_say_so():
    few = [Contender(one.name, means(one.scored.counts[:, :4, 0])) for one in (CHUNK, shifted("dense", 0.05, 0.01))]
    found = conclude(few, Cost([1.0, 2.0]), Rules())
    assert found.answer is Answer.UNDECIDED
    assert "No difference can be significant here: with 4 documents" in found.sentence
