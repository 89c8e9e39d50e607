"""Scores of whole documents, against scikit-learn and cases worked by hand."""

import numpy as np
import pytest
from sklearn import metrics

from ctxlab.core.types import Document, Prediction
from ctxlab.evaluation.auroc import auroc
from ctxlab.evaluation.metrics.classification import score
from ctxlab.tasks.forms.document_classifier import Verdict

CLASSES = ("a", "b", "c")


def verdict(chosen, probabilities, *, classes=CLASSES, several=False, tokens=100, seen=100, evidence=()):
    return Verdict(classes, chosen, np.asarray(probabilities, np.float32), several, tokens, seen, evidence)


def unread(classes=CLASSES, *, several=False, evidence=()):
    return verdict((), np.zeros(len(classes)), classes=classes, several=several, seen=0, evidence=evidence)


def scored(gold, verdicts, probes=None):
    documents = [
        Document(str(i), {"gold": labels, **({"probes": probes[i]} if probes else {})}, f"line {i}")
        for i, labels in enumerate(gold)
    ]
    return score(documents, [Prediction(str(i), v, [v.is_read]) for i, v in enumerate(verdicts)])


def table(scores, name):
    (found,) = [t for t in scores.tables if t.name == name]
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def drawn(classes, num=60, seed=0):
    """Gold, probabilities and answers of a model better than chance, with ties among the probabilities."""
    random = np.random.default_rng(seed)
    gold = random.integers(len(classes), size=num)
    logits = random.normal(size=(num, len(classes))) + np.eye(len(classes))[gold]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    probabilities[1::4] = probabilities[::4][: len(probabilities[1::4])]
    return gold, probabilities, probabilities.argmax(axis=1)


@pytest.mark.parametrize("classes", [("a", "b"), CLASSES, tuple("abcdefg")])
def test_figures_are_those_of_scikit_learn(classes):
    gold, probabilities, answers = drawn(classes)
    found = scored(
        [(classes[g],) for g in gold],
        [verdict((classes[a],), p, classes=classes) for a, p in zip(answers, probabilities, strict=True)],
    ).metrics
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(gold, answers))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(gold, answers, average="macro"))
    assert found["micro_f1"] == pytest.approx(metrics.f1_score(gold, answers, average="micro"))
    given = probabilities.astype(np.float32)
    # One against the rest, which for two classes is the same both ways.
    expected = np.mean([metrics.roc_auc_score(gold == i, given[:, i]) for i in range(len(classes))])
    if len(classes) == 2:
        assert expected == pytest.approx(metrics.roc_auc_score(gold, given[:, 1]))
    assert found["auroc"] == pytest.approx(expected)


def test_figures_of_several_labels_are_those_of_scikit_learn():
    random = np.random.default_rng(1)
    gold = random.random((50, 3)) < 0.4
    probabilities = np.clip(gold * 0.4 + random.random((50, 3)) * 0.6, 0, 1)
    answers = probabilities >= 0.5

    def names(row):
        return tuple(name for name, given in zip(CLASSES, row, strict=True) if given)

    found = scored(
        [names(row) for row in gold],
        [verdict(names(a), p, several=True) for a, p in zip(answers, probabilities, strict=True)],
    ).metrics
    assert set(found) == {"exact_match", "macro_f1", "micro_f1", "auroc"}
    assert found["exact_match"] == pytest.approx(metrics.accuracy_score(gold, answers))
    for average in ("macro", "micro"):
        assert found[f"{average}_f1"] == pytest.approx(metrics.f1_score(gold, answers, average=average))
    assert found["auroc"] == pytest.approx(metrics.roc_auc_score(gold, probabilities.astype(np.float32)))


def test_weighted_areas_are_those_of_scikit_learn():
    random = np.random.default_rng(2)
    gold, scores = random.integers(2, size=40).astype(float), random.integers(5, size=40) / 5
    weights = random.integers(3, size=(8, 40)).astype(float)
    expected = [metrics.roc_auc_score(gold, scores, sample_weight=row) for row in weights]
    assert auroc(scores, gold, weights) == pytest.approx(expected)
    assert np.isnan(auroc(scores, np.ones(40), weights)).all()


def test_calibration_error_by_hand():
    """In one bin 0.9 twice, one of them right; in another 0.62, right: (|1.8 - 1| + |0.62 - 1|) / 3."""
    answers = [verdict(("a",), [0.9, 0.1, 0]), verdict(("a",), [0.9, 0.1, 0]), verdict(("b",), [0.38, 0.62, 0])]
    found = scored([("a",), ("b",), ("b",)], answers).metrics
    assert found["calibration_error"] == pytest.approx((0.8 + 0.38) / 3, abs=1e-6)


def test_a_border_of_a_bin_belongs_to_the_lower_one():
    """10 / 15 and 9.5 / 15 share the tenth bin, so that one right and one wrong answer balance."""
    answers = [verdict(("a",), [10 / 15, 5 / 15, 0]), verdict(("a",), [9.5 / 15, 5.5 / 15, 0])]
    value = np.float32(10 / 15).astype(float) + np.float32(9.5 / 15).astype(float)
    found = scored([("a",), ("b",)], answers).metrics
    assert found["calibration_error"] in (pytest.approx((value - 1) / 2), pytest.approx((1 / 3 + 9.5 / 15) / 2))


@pytest.mark.parametrize("several", [False, True])
def test_perfect_is_one_and_nothing_is_zero(several):
    gold = [("a",), ("b",), ("a",)]  # no document is c
    perfect = [verdict(g, [float(name in g) for name in CLASSES], several=several) for g in gold]
    found = scored(gold, perfect)
    assert {name: value for name, value in found.metrics.items() if name != "calibration_error"} == {
        "exact_match" if several else "accuracy": 1.0,
        "macro_f1": 1.0,
        "micro_f1": 1.0,
        "auroc": 1.0,
    }
    assert found.coverage_labels == 1
    empty = scored(gold, [unread(several=several)] * 3)
    assert {value for name, value in empty.metrics.items() if name != "calibration_error"} == {0.0}
    assert empty.metrics.get("calibration_error", 1.0) == 1.0
    assert empty.coverage_labels == 0
    assert any("3 of 3 documents were not read" in note for note in empty.notes)


def test_a_document_that_was_not_read_is_wrong():
    gold = [("a",), ("b",), ("b",), ("a",)]
    answers = [verdict((g[0],), [float(name in g) for name in CLASSES]) for g in gold[:3]]
    found = scored(gold, [*answers, unread()])
    assert found.metrics["accuracy"] == 0.75
    assert found.metrics["calibration_error"] == pytest.approx(0.25)
    # Of the four pairs of an a and a b, the unread a loses against both.
    assert found.metrics["auroc"] == pytest.approx(0.5)
    assert found.coverage_labels == 0.75


def test_one_class_alone_has_no_area():
    found = scored([("a",)], [verdict(("a",), [1, 0, 0])])
    assert "auroc" not in found.metrics
    assert any("no AUROC" in note for note in found.notes)


def test_breakdowns():
    gold = [("a",)] * 4
    probes = [[{"start": 0, "end": 1, "distance": d}] for d in (10, 10, 600, 0)]
    answers = [
        verdict(("a",), [1, 0, 0], tokens=100, evidence=((0.05, True),)),
        verdict(("b",), [0, 1, 0], tokens=300, evidence=((0.05, True),)),
        verdict(("a",), [1, 0, 0], tokens=300, evidence=((0.95, True), (0.3, False))),
        verdict(("a",), [1, 0, 0], tokens=99_999, evidence=((1.0, True),)),
    ]
    found = scored(gold, answers, probes)
    assert [(r["tokens"], r["documents"], r["accuracy"]) for r in table(found, "by_length")] == [
        ("1–256", 1, 1.0),
        ("257–512", 2, 0.5),
        ("over 32,768", 1, 1.0),
    ]
    assert [(r["evidence at"], r["documents"], r["accuracy"]) for r in table(found, "by_position")] == [
        ("0–10 %", 2, 0.5),
        ("90–100 %", 2, 1.0),
    ]
    assert [(r["words to the evidence"], r["documents"]) for r in table(found, "by_evidence")] == [
        ("1–32", 2),
        ("513–2,048", 1),
    ]
    assert found.coverage_labels == 0.75  # the second sentence of the third document was cut off
    alone, pair, _ = table(found, "by_length")
    assert (alone["low"], alone["high"]) == (None, None), "one document has no interval"
    assert pair["low"] <= pair["accuracy"] <= pair["high"]


def test_per_class_table():
    gold, probabilities, answers = drawn(CLASSES)
    found = scored(
        [(CLASSES[g],) for g in gold],
        [verdict((CLASSES[a],), p) for a, p in zip(answers, probabilities, strict=True)],
    )
    precision, recall, f1, support = metrics.precision_recall_fscore_support(gold, answers)
    for index, row in enumerate(table(found, "per_class")[:3]):
        assert (row["class"], row["documents"]) == (CLASSES[index], support[index])
        assert [row["precision"], row["recall"], row["f1"]] == pytest.approx(
            [precision[index], recall[index], f1[index]]
        )
        assert row["low"] < row["f1"] < row["high"]


@pytest.mark.parametrize("classes", [("a", "b"), CLASSES, tuple("abcdefg")])
def test_averages_over_classes_are_those_of_scikit_learn(classes):
    gold, probabilities, answers = drawn(classes)
    found = scored(
        [(classes[g],) for g in gold],
        [verdict((classes[a],), p, classes=classes) for a, p in zip(answers, probabilities, strict=True)],
    )
    rows = table(found, "per_class")[len(classes) :]
    assert [row["class"] for row in rows] == ["micro avg", "macro avg", "weighted avg"]
    for row in rows:
        expected = metrics.precision_recall_fscore_support(gold, answers, average=row["class"].split()[0])[:3]
        assert (row["precision"], row["recall"], row["f1"]) == pytest.approx(expected)
        assert row["low"] < row["f1"] < row["high"]
        assert row["documents"] == len(gold)


def test_averages_leave_out_classes_that_do_not_occur():
    found = scored([("a",), ("b",)], [verdict(("a",), [1, 0, 0]), verdict(("b",), [0, 1, 0])])
    assert {row["class"]: row["f1"] for row in table(found, "per_class")}["macro avg"] == 1.0


def test_the_confusion_matrix_is_that_of_scikit_learn_with_a_column_for_what_was_not_read():
    gold, probabilities, answers = drawn(CLASSES)
    given = [verdict((CLASSES[a],), p) for a, p in zip(answers, probabilities, strict=True)]
    names = [(CLASSES[g],) for g in gold]
    cells = {(r["class"], r["given as"]): r["documents"] for r in table(scored(names, given), "confusion")}
    expected = metrics.confusion_matrix(gold, answers)
    assert cells == {(CLASSES[i], CLASSES[j]): expected[i, j] for i in range(3) for j in range(3)}
    unseen = table(scored([*names, ("b",)], [*given, unread()]), "confusion")
    assert [r["documents"] for r in unseen if r["given as"] == "(not read)"] == [0, 1, 0]


def test_many_classes_show_their_most_frequent_confusions():
    classes = tuple(f"class {i:02}" for i in range(30))
    gold, probabilities, answers = drawn(classes, num=300)
    given = [verdict((classes[a],), p, classes=classes) for a, p in zip(answers, probabilities, strict=True)]
    rows = table(scored([(classes[g],) for g in gold], given), "confusion")
    expected = metrics.confusion_matrix(gold, answers)
    np.fill_diagonal(expected, 0)
    assert [row["documents"] for row in rows] == sorted(expected.ravel(), reverse=True)[:20]


def test_several_labels_have_no_confusion_matrix():
    found = scored([("a", "b")], [verdict(("a",), [1, 0, 0], several=True)])
    assert "confusion" not in {one.name for one in found.tables}
