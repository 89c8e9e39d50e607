"""Figures of embeddings, by hand and by sums over pairs."""

import numpy as np
import pytest

from ctxlab.core.types import Document, Prediction
from ctxlab.evaluation.metrics.embeddings import score
from ctxlab.tasks.contrastive import Embedded


def unit(*values: float) -> np.ndarray:
    return np.array(values, np.float32) / np.linalg.norm(values)


def scored(*answers: Embedded):
    documents = [Document(str(place), {}, str(place)) for place in range(len(answers))]
    return score(documents, [Prediction(d.id, one, [True]) for d, one in zip(documents, answers, strict=True)])


def answer(first, second, seen=4) -> Embedded:
    return Embedded(unit(*(first + second)) if seen else np.zeros(2, np.float32), np.stack([first, second]), 4, seen)


def test_the_figures_are_the_formulas():
    rng = np.random.default_rng(0)
    halves = [[unit(*rng.normal(size=2)), unit(*rng.normal(size=2))] for _ in range(6)]
    found = scored(*(answer(*pair) for pair in halves)).metrics
    loss, picked, near = [], [], []
    for i, (first, _) in enumerate(halves):
        terms = [np.exp(float(first @ second) / 0.05) for _, second in halves]
        loss.append(-np.log(terms[i] / sum(terms)))
        picked.append(terms[i] == max(terms))
    whole = [unit(*(first + second)) for first, second in halves]
    near = [np.exp(-2 * ((a - b) ** 2).sum()) for i, a in enumerate(whole) for j, b in enumerate(whole) if i != j]
    assert found["contrastive_loss"] == pytest.approx(np.mean(loss), rel=1e-4)
    assert found["accuracy"] == pytest.approx(np.mean(picked))
    assert found["alignment"] == pytest.approx(np.mean([((a - b) ** 2).sum() for a, b in halves]), rel=1e-5)
    assert found["uniformity"] == pytest.approx(np.log(np.mean(near)), rel=1e-4)


def test_an_unread_document_is_a_guess():
    zero = np.zeros(2, np.float32)
    found = scored(answer(unit(1, 0), unit(1, 0)), answer(zero, zero, seen=0))
    assert found.metrics["accuracy"] == 0.5
    assert found.metrics["contrastive_loss"] == pytest.approx((np.log1p(np.exp(-20)) + np.log(2)) / 2, rel=1e-4)
    assert found.coverage_labels == 0.5


def test_one_document_has_nothing_to_be_told_from():
    found = scored(answer(unit(1, 0), unit(0, 1)))
    assert found.metrics["accuracy"] == 1
    assert "one document only" in found.notes[0]
