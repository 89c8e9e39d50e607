"""Which constraints of their prompts texts meet, on cases worked by hand."""

import numpy as np
import pytest

from ctxlab.core.types import Document, Prediction
from ctxlab.evaluation.metrics.constraints import check, score
from ctxlab.evaluation.repetition import repeated
from ctxlab.evaluation.sufficient.text_variety import distinct
from ctxlab.tasks.generation import Constraints
from ctxlab.tasks.generative.base import GeneratedText

ASKED = Constraints(("lamp", "post office"), "the harbour", ("harbour",), 4, 8)


def answer(text, nll=0.0, asked=0, evidence=(), read=True):
    return GeneratedText(text, (text,), (0.0,), nll, asked, np.array([read, read]), np.array([0, 5]), evidence)


def document(name, constraints=ASKED, probes=None):
    fields = {"constraints": constraints, "prompt": "x"}
    return Document(name, fields | ({"probes": probes} if probes else {}), name)


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("A Lamp at the post office near the harbour.", [True, True, True, False]),  # nine words
        ("The lamplight, the harbour: lamp.", [True, False, True, True]),
        ("The lamps of harbourside", [False, False, False, True]),
        ("", [False, False, False, False]),
    ],
)
def test_each_constraint_is_looked_for_as_words(text, met):
    assert [holds for _, holds in check(ASKED, text)] == met


def test_an_empty_text_meets_no_upper_limit():
    assert check(Constraints(max_words=5), "") == [("length", False)]
    assert check(Constraints(max_words=5), "one") == [("length", True)]


def test_figures_by_hand():
    documents = [document("a"), document("b", Constraints(words=("ring",)))]
    answers = [answer("The lamplight, the harbour: lamp.", nll=2.0, asked=4), answer("a ring a ring", nll=1.0, asked=2)]
    scores = score(documents, [Prediction(d.id, a, [True]) for d, a in zip(documents, answers, strict=True)])
    assert scores.metrics["constraints_met"] == pytest.approx((3 / 4 + 1) / 2)
    assert scores.metrics["all_met"] == 0.5
    assert scores.metrics["perplexity"] == pytest.approx(np.exp(3 / 6))
    assert scores.metrics["distinct_1"] == pytest.approx(6 / 9)  # the, lamplight, harbour:, lamp., a, ring
    assert scores.coverage_labels == 1.0


def test_perfect_is_one_and_nothing_is_zero():
    documents = [document("a"), document("b")]
    for text, value in (("A lamp, a post office, the harbour.", 1.0), ("", 0.0)):
        scores = score(documents, [Prediction(d.id, answer(text), [True]) for d in documents])
        assert scores.metrics["constraints_met"] == value
        assert scores.metrics["all_met"] == value


def test_places_that_state_constraints_are_broken_down():
    probes = [{"start": 0, "end": 1, "distance": d} for d in (10, 100, 1000, 5000)]
    evidence = ((0.05, True), (0.05, True), (0.55, False), (0.95, False))
    scores = score(
        [document("a", probes=probes)], [Prediction("a", answer("lamp harbour of gold", evidence=evidence), [True])]
    )
    tables = {table.name: table for table in scores.tables}
    assert [row[1:3] for row in tables["by_position"].rows] == [(2, 0.5), (1, 1.0), (1, 1.0)]
    assert [row[1] for row in tables["by_evidence"].rows] == [1, 1, 1, 1]
    assert scores.coverage_labels == 0.5


def test_repetition_by_hand():
    assert repeated([["a", "b", "c", "d", "a", "b", "c", "d"], ["a", "b"]], 4).tolist() == [[1, 5], [0, 0]]
    assert distinct([["a", "b"], ["a", "c"]], 1, np.ones((1, 2))) == 3 / 4
    assert distinct([["a", "b"], ["a", "c"]], 1, np.asarray([[2.0, 0.0], [0.0, 0.0]])).tolist() == [2 / 4, 0.0]
    assert distinct([[]], 2, np.ones((1, 1))) == 0.0
