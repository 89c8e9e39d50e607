"""Translation metrics against sacrebleu's over the corpus and hand-worked cases."""

import numpy as np
import pytest
import sacrebleu

from ctxlab.core.types import Document, Prediction
from ctxlab.evaluation import chrf
from ctxlab.evaluation.evidence import says
from ctxlab.evaluation.metrics.translations import WHOLE_WORDS, score
from ctxlab.tasks.generative.base import GeneratedText

GOLD = (
    "The cat sat on the mat. It was a warm day, and nobody came.",
    "Nothing stirred in the harbour; the boats lay still under a grey sky.",
    "She sold the lamp.",
)
GIVEN = (
    "The cat is on the mat. It was warm, and nobody was there.",
    "In the harbour nothing stirred; boats were lying still below the grey sky.",
    "She bought a lamp",
)


def document(index, target, **fields):
    return Document(str(index), {"source": "die Katze", "target": target, **fields}, "here")


def prediction(index, text, seen=(True,), tokens=300, evidence=()):
    answer = GeneratedText(text, (), (), 0.0, 0, np.ones(tokens, np.bool_), np.arange(tokens), evidence)
    return Prediction(str(index), answer, list(seen))


def scored(given, gold):
    pairs = list(enumerate(zip(given, gold, strict=True)))
    return score([document(i, g) for i, (_, g) in pairs], [prediction(i, t) for i, (t, _) in pairs])


def table(scores, name):
    (found,) = [one for one in scores.tables if one.name == name]
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


@pytest.mark.parametrize(
    "given",
    [
        GIVEN,
        GOLD,
        ("", "", ""),
        (GIVEN[0], "", GIVEN[2]),
        ("x" * 9, "…", "1"),
        ("The mat was warm.", "The boats lay.", "She sold a lamp."),
        GIVEN[2:] * 3,
    ],
)
def test_figures_are_those_of_sacrebleu(given):
    scores = scored(given, GOLD)
    for name, metric in (("chrf", sacrebleu.CHRF()), ("bleu", sacrebleu.BLEU()), ("ter", sacrebleu.TER())):
        assert scores.metrics[name] == pytest.approx(metric.corpus_score(given, [GOLD]).score / 100, abs=1e-9)
        (row,) = [row for row in table(scores, "overall") if row["score"] == name]
        assert row["signature"].removesuffix("|parts:32") == str(metric.get_signature())
        assert row["signature"].endswith("|parts:32") == (name == "ter")
        assert row["low"] - 1e-9 <= row["value"] <= row["high"] + 1e-9


def test_perfect_is_one_and_empty_is_none():
    assert scored(GOLD, GOLD).metrics == {"chrf": 1.0, "bleu": pytest.approx(1.0), "ter": 0.0, "length_ratio": 1.0}
    assert scored(("", "", ""), GOLD).metrics == {"chrf": 0.0, "bleu": 0.0, "ter": 1.0, "length_ratio": 0.0}


def test_chrf_worked_by_hand():
    """abc against abd: 2/3, 1/2 and 0 of the n-grams of each side match; there are no longer ones."""
    assert chrf.chrf(chrf.counts("a b c", "abd")) == pytest.approx((2 / 3 + 1 / 2) / 3)


def test_long_texts_are_cut_for_ter():
    words = [f"w{i}" for i in range(3 * WHOLE_WORDS)]
    assert scored([" ".join(words)], [" ".join(words)]).metrics["ter"] == 0
    wrong = ["x" if i % 4 == 0 else word for i, word in enumerate(words)]
    found = scored([" ".join(wrong)], [" ".join(words)]).metrics["ter"]
    assert found == pytest.approx(sacrebleu.TER().corpus_score([" ".join(wrong)], [[" ".join(words)]]).score / 100)


def test_places_where_quality_is_lost():
    words = [f"word{i}" for i in range(40)]
    half = [*words[:20], *["zzz"] * 20]
    rows = table(scored([" ".join(half)], [" ".join(words)]), "by_position")
    assert [row["chrf"] for row in rows] == pytest.approx([1.0] * 5 + [0.0] * 5)
    assert [row["documents"] for row in rows] == [1] * 10
    (row,) = table(scored(GIVEN, GOLD), "by_length")
    assert (row["tokens"], row["documents"]) == ("257–512", 3)


def test_words_that_a_fact_decides():
    probes = [{"start": 0, "end": 3, "distance": d, "says": s} for d, s in ((16, "Balanael"), (64, "Corusk"))]
    given = prediction(0, "so balanael, Coruskin", (True, False), evidence=((0.0, True), (0.5, False)))
    scores = score([document(0, "x Balanael Corusk", probes=probes)], [given])
    rows = [(row["cases"], row["accuracy"], row["read"]) for row in table(scores, "by_evidence")]
    assert rows == [(1, 1.0, 1.0), (1, 0.0, 0.0)]
    assert scores.coverage_labels == 0.5
    assert not says("lampshade", "lamp")
