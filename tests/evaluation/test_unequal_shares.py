"""Pooled figures on documents, windows and mentions of unequal size, worked out by hand. With equal sizes the mean of
means is the overall mean, so that a wrong way of pooling would go unnoticed.
"""

import math

import numpy as np
import pytest

from ctxlab.core.types import Document, Encoded, Prediction
from ctxlab.evaluation.metrics import constraints, entities, language, replies
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.tasks.forms import combine
from ctxlab.tasks.forms.vocabulary import TokenScores
from ctxlab.tasks.generation import Constraints
from ctxlab.tasks.generative.base import GeneratedText


def written(text, nll, asked, evidence=()):
    return GeneratedText(text, (text,), (0.0,), nll, asked, np.ones(2, bool), np.array([0, 5]), evidence)


def predictions(answers):
    return [Prediction(str(i), answer, [True]) for i, answer in enumerate(answers)]


def tokens(nll, characters):
    count, ends = len(nll), np.cumsum(characters) + 1
    marks = np.zeros(count, bool), np.ones(count, bool)
    return TokenScores(
        np.array(nll, np.float32), *marks, np.arange(1, count + 1), np.array(characters), ends - characters, ends,
        count + 1,
    )  # fmt: skip


def test_tokens_and_characters_are_summed_over_documents_before_they_are_divided():
    """6 nats over 3 tokens and 12 characters, and 8 over 1 token and 2 characters: 3.5 a token, 1 a character."""
    answers = [tokens([1, 2, 3], [2, 4, 6]), tokens([8], [2])]
    documents = [Document(str(i), {"text": ""}, "o") for i in range(2)]
    found = language.score(documents, predictions(answers)).metrics
    assert found["perplexity"] == pytest.approx(math.exp(14 / 4))
    assert found["bits_per_character"] == pytest.approx(14 / math.log(2) / 14)


@pytest.mark.parametrize("metric", [constraints, replies])
def test_target_tokens_of_long_and_short_answers_count_alike(metric):
    """2 nats over 8 tokens and 6 over 2: 0.8 a token, where the mean of the documents' means is 1.625."""
    fields = {"constraints": Constraints(words=("lamp",)), "prompt": "x", "group": "g", "history": "", "reply": "a"}
    documents = [Document(str(i), fields | {"group": str(i)}, "o") for i in range(2)]
    answers = [written("a lamp", 2.0, 8), written("a lamp", 6.0, 2)]
    assert metric.score(documents, predictions(answers)).metrics["perplexity"] == pytest.approx(math.exp(8 / 10))


def test_constraints_that_were_read_are_counted_over_all_prompts():
    """Three of three in one prompt and none of one in the other: 3 of 4, not a half."""
    fields = {"constraints": Constraints(words=("lamp",)), "prompt": "x"}
    documents = [Document(str(i), fields, "o") for i in range(2)]
    answers = [written("lamp", 1, 1, ((0.1, True), (0.2, True), (0.3, True))), written("lamp", 1, 1, ((0.5, False),))]
    assert constraints.score(documents, predictions(answers)).coverage_labels == 0.75


def test_entities_of_long_and_short_documents_count_alike():
    """Five of six are found in one document; in the other, none of one, and one false entity."""
    long, short = ["B-PER", "O"] * 6, ["B-PER", "O"]
    documents = [Document(str(i), {"tags": tags}, "o") for i, tags in enumerate((long, short))]
    answers = [["B-PER", "O"] * 5 + ["O", "O"], ["O", "B-PER"]]
    seen = [[True] * 12, [False, True]]
    made = [Prediction(str(i), answer, own) for i, (answer, own) in enumerate(zip(answers, seen, strict=True))]
    scores = entities.score(documents, made)
    assert scores.metrics["precision"] == pytest.approx(5 / 6)
    assert scores.metrics["recall"] == pytest.approx(5 / 7)
    assert scores.metrics["f1"] == pytest.approx(10 / 13)
    assert scores.coverage_labels == pytest.approx(6 / 7)


def test_windows_are_weighted_by_the_tokens_they_contribute():
    """12 tokens in windows of 8 that overlap by 4: each window contributes two tokens of the overlap, so 6 and 6; then
    8 and 1."""
    encoded = Encoded(np.arange(12), np.arange(12), np.zeros(12, np.int64))
    part = Chunk(overlap_tokens=4)
    first, second = np.array([2.0, -1.0], np.float32), np.array([-3.0, 1.0], np.float32)
    windows = part.windows(encoded, 8)
    merged = part.merge(windows, [np.tile(first, (8, 1)), np.tile(second, (8, 1))], 12)
    expected = np.exp((6 * first + 6 * second) / 12)
    assert combine.mean(merged.outputs, several=False) == pytest.approx(expected / expected.sum(), rel=1e-5)
    short = Encoded(np.arange(9), np.arange(9), np.zeros(9, np.int64))
    apart = Chunk()
    merged = apart.merge(apart.windows(short, 8), [np.tile(first, (8, 1)), np.tile(second, (1, 1))], 9)
    expected = np.exp((8 * first + second) / 9)
    assert combine.mean(merged.outputs, several=False) == pytest.approx(expected / expected.sum(), rel=1e-5)
