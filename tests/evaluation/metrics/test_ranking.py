"""Ranking metrics against scikit-learn, against MIND's script worked by hand, and over all permutations."""

from itertools import permutations

import numpy as np
import pytest
from sklearn import metrics

from ctxlab.core.types import Document, Prediction
from ctxlab.evaluation.metrics import choosing, ranking
from ctxlab.evaluation.ranks import rank
from ctxlab.evaluation.sufficient import recommended_ranks, response_ranks
from ctxlab.tasks.forms.document_classifier import Verdict
from ctxlab.tasks.forms.ranking import CLASSES

FIGURES = (*recommended_ranks.STATISTIC.ranked_by, *response_ranks.STATISTIC.ranked_by[1:])


def verdict(score, *, tokens=100, seen=100, evidence=()):
    """The verdict whose log odds are ``score``; None is a history that was not read."""
    if score is None:
        return Verdict(CLASSES, (), np.zeros(2, np.float32), False, tokens, 0, evidence)
    share = 1 / (1 + np.exp(-score))
    given = np.asarray([1 - share, share], np.float32)
    return Verdict(CLASSES, (CLASSES[int(given.argmax())],), given, False, tokens, seen, evidence)


def scored(rankings, metric=ranking, **options):
    """Metrics of rankings given as (labels, scores); ``records`` says which record each belongs to."""
    records = options.pop("records", None) or [str(i) for i in range(len(rankings))]
    probes = options.pop("probes", None)
    documents, predictions = [], []
    for index, (labels, scores) in enumerate(rankings):
        for label, score in zip(labels, scores, strict=True):
            fields = {"record": records[index], "group": f"{records[index]}@{index}", "gold": (CLASSES[label],)}
            fields["candidate"] = f"candidate {len(documents)}"
            fields |= {"probes": probes[index]} if probes else {}
            documents.append(Document(f"{index}", fields, "here"))
            evidence = tuple((probe["at"], probe["seen"]) for probe in probes[index]) if probes else ()
            predictions.append(Prediction("", verdict(score, evidence=evidence, **options), [score is not None]))
    return metric.score(documents, predictions)


def table(scores, name):
    (found,) = [t for t in scores.tables if t.name == name]
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def drawn(num, seed=0):
    random = np.random.default_rng(seed)
    rankings = []
    while len(rankings) < num:
        labels = (random.random(random.integers(2, 30)) < 0.3).astype(int)
        if 0 < labels.sum() < len(labels):
            rankings.append((labels.tolist(), random.normal(size=len(labels)).tolist()))
    return rankings


def test_figures_are_those_of_scikit_learn():
    rankings = drawn(50)
    found = scored(rankings).metrics
    assert found["auc"] == pytest.approx(np.mean([metrics.roc_auc_score(y, s) for y, s in rankings]))
    for k in (5, 10):
        expected = np.mean([metrics.ndcg_score([y], [s], k=k) for y, s in rankings])
        assert found[f"ndcg_at_{k}"] == pytest.approx(expected)


def test_equal_scores_count_half_in_auc_only():
    rankings = [(y, np.round(s).tolist()) for y, s in drawn(30)]
    found = scored(rankings).metrics
    assert found["auc"] == pytest.approx(np.mean([metrics.roc_auc_score(y, s) for y, s in rankings]))
    found = scored([([1, 0, 0, 0], [0, 0, 0, -1])]).metrics
    assert found["mrr"] == pytest.approx(1 / 3)
    assert found["ndcg_at_5"] == pytest.approx(1 / np.log2(4))


def test_a_ranking_by_hand():
    """Chosen at ranks 2 and 4 of 5: 1 of 3 others before the first, 2 before the second."""
    labels, scores = [0, 1, 0, 1, 0], [0.9, 0.8, 0.7, 0.6, 0.5]
    found = scored([(labels, scores)]).metrics
    assert found["auc"] == pytest.approx((2 + 1) / 6)
    gain = 1 / np.log2(3) + 1 / np.log2(5)
    assert found["ndcg_at_5"] == found["ndcg_at_10"] == pytest.approx(gain / (1 + 1 / np.log2(3)))
    assert found["mrr"] == pytest.approx(1 / 2)
    assert found["mind_mrr"] == pytest.approx((1 / 2 + 1 / 4) / 2)
    found = scored([([0, 0, 1, 0, 0, 0], [5, 4, 3, 2, 1, 0])], choosing).metrics
    assert found == pytest.approx({"mrr": 1 / 3, "recall_at_1": 0, "recall_at_2": 0, "recall_at_5": 1})


def test_ndcg_stops_at_k():
    scores = list(range(12, 0, -1))
    found = scored([([0] * 6 + [1] + [0] * 5, scores)]).metrics
    assert found["ndcg_at_5"] == 0
    assert found["ndcg_at_10"] == pytest.approx(1 / np.log2(8))
    found = scored([([1] * 7 + [0] * 5, scores)]).metrics
    assert found["ndcg_at_5"] == found["ndcg_at_10"] == 1


@pytest.mark.parametrize("labels", [[1, 0], [0, 1, 0, 1, 1], [0] * 9 + [1]])
def test_a_perfect_ranking_scores_one_and_an_unread_one_zero(labels):
    perfect, unread = [(labels, [float(y) for y in labels])], [(labels, [None] * len(labels))]
    for metric in (ranking, choosing):
        if metric is choosing and sum(labels) > 1:
            continue  # the task has one right candidate
        found = scored(perfect, metric).metrics
        assert {found[name] for name in found if name != "mind_mrr"} == {1.0}
        read = scored(unread, metric)
        assert set(read.metrics.values()) == {0.0}
        assert read.coverage_labels == 0
        assert "1 of 1 rankings were not read at all" in read.notes[0]


def test_under_truncation_a_perfect_model_scores_its_coverage():
    """Three of four rankings were read, in part."""
    rankings = [([1, 0, 0], [3.0, 1.0, 2.0])] * 3 + [([1, 0, 0], [None] * 3)]
    found = scored(rankings, seen=10)
    assert found.metrics["auc"] == found.metrics["mrr"] == found.coverage_labels == 0.75


def test_what_was_read_for_some_candidates_counts_against_the_model():
    found = scored([([1, 0, 0], [None, 1.0, 2.0])]).metrics
    assert (found["auc"], found["mrr"]) == (0, pytest.approx(1 / 3))
    found = scored([([1, 0, 0], [9.0, None, 2.0])]).metrics
    assert (found["auc"], found["mrr"]) == (0.5, 0.5)


@pytest.mark.parametrize("labels", [[1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0], [1, 0]])
def test_chance_is_the_mean_over_all_orders(labels):
    orders = [rank(np.asarray(s, float), np.asarray(labels, float)) for s in permutations(range(len(labels)))]
    for figure in FIGURES:
        expected = np.mean([figure.of(order) for order in orders])
        assert figure.by_chance(len(labels), sum(labels)) == pytest.approx(expected), figure.name


def test_intervals_draw_whole_records():
    """Two records of many rankings, one all right and one all wrong: the widest possible interval."""
    rankings = [([1, 0], [1.0, 0.0])] * 10 + [([1, 0], [0.0, 1.0])] * 10
    (row,) = [
        row for row in table(scored(rankings, records=["a"] * 10 + ["b"] * 10), "overall") if row["figure"] == "auc"
    ]
    assert (row["value"], row["low"], row["high"]) == (0.5, 0, 1)
    (row,) = [row for row in table(scored(rankings), "overall") if row["figure"] == "auc"]
    assert 0.2 < row["low"] < 0.5 < row["high"] < 0.8


def test_breakdowns_show_where_quality_is_lost():
    rankings = [([1, 0], [1.0, 0.0]), ([1, 0], [0.0, 1.0])]
    probes = [[{"at": 0.05, "seen": True, "distance": 20}], [{"at": 0.95, "seen": False, "distance": 300}]]
    found = scored(rankings, probes=probes, tokens=300)
    assert found.coverage_labels == 0.5
    for name, first, labels in [
        ("by_length", "tokens", {"257–512": 0.5}),
        ("by_position", "evidence at", {"0–10 %": 1.0, "90–100 %": 0.0}),
        ("by_evidence", "words to the evidence", {"0–32": 1.0, "129–512": 0.0}),
    ]:
        rows = table(found, name)
        assert {row[first]: row["auc"] for row in rows} == labels
        assert all({"rankings", "low", "high"} <= set(row) for row in rows)
    assert {t.name for t in scored(rankings).tables} == {"overall", "by_length", "lists"}
