"""Recommendation beside being right: diversity, coverage, profiles and given features, by independent formulas."""

import json
import math
import random
from itertools import permutations

import numpy as np
import pytest
from scipy.optimize import minimize

from ctxlab.cli import main
from ctxlab.core.errors import UserError
from ctxlab.core.types import Prediction
from ctxlab.data.parsing import split_documents
from ctxlab.evaluation import recommended
from ctxlab.evaluation.metrics import ranking
from ctxlab.evaluation.recommended import Listed, coverage, coverage_by_chance
from ctxlab.tasks.forms.document_classifier import Verdict
from ctxlab.tasks.recommendation import Recommendation
from ctxlab.tasks.records.given_features import Weights, weighed
from ctxlab.text.terms import vectors

TEXTS = ["The old harbour", "A harbour at night", "Lamps, old and new"]


def record(**more):
    return {"id": "u", "history": ["the old, the town"], "candidates": TEXTS, "labels": [0, 1, 0], **more}


def documents(task, *records, gold=True):
    return split_documents(task, [task.parse(one, f"line {i + 1}", gold=gold) for i, one in enumerate(records)])


def test_coverage_and_its_expected_value_over_all_orders(monkeypatch):
    """Oracle: every order of both rankings."""
    monkeypatch.setattr(recommended, "FIRST", 2)
    lists = [("a", "b", "c"), ("a", "c", "d", "e")]

    def listed(texts, order):
        scores = np.zeros(len(texts))
        scores[list(order)] = -np.arange(len(texts), dtype=float)
        return Listed(texts, scores, np.zeros(len(texts)))

    every = []
    for one in permutations(range(3)):
        for other in permutations(range(4)):
            shown = {lists[0][i] for i in one[:2]} | {lists[1][i] for i in other[:2]}
            found = coverage([listed(lists[0], one), listed(lists[1], other)])
            assert found == len(shown) / 5
            every.append(found)
    both = [Listed(texts, np.zeros(len(texts)), np.zeros(len(texts))) for texts in lists]
    assert coverage_by_chance(both) == pytest.approx(np.mean(every))


def test_the_first_line_of_a_record_has_the_profile():
    task = Recommendation(profile_terms=1)
    asked = documents(task, {k: v for k, v in record().items() if k != "labels"}, gold=False)
    verdict = Verdict(("other", "chosen"), ("other",), np.array([0.5, 0.5], np.float32), False, 3, 3, ())
    lines = [task.record(one, Prediction(one.id, verdict, [True])) for one in asked]
    assert [line.get("profile") for line in lines] == [["the"], None, None]
    task = Recommendation(profile_terms=0)
    assert all("profile" not in one.fields for one in documents(task, record(), gold=False))


def test_features_are_weighed_as_by_the_penalised_likelihood():
    """Oracle: the minimum of the sum of log losses plus half the squared weights, found by scipy."""
    numbers = np.random.default_rng(1)
    rows = numbers.normal(size=(60, 3)) * [1, 50, 0] + [0, 7, 4]  # the last one is constant
    chosen = numbers.random(60) < 1 / (1 + np.exp(-rows[:, 0]))
    spreads = np.where(rows.std(0) > 1e-9, rows.std(0), 1)
    table = (rows - rows.mean(0)) / spreads

    def loss(parameters):
        margin = (table @ parameters[:3] + parameters[3]) * np.where(chosen, 1, -1)
        return np.logaddexp(0, -margin).sum() + (parameters[:3] ** 2).sum() / 2

    expected = minimize(loss, np.zeros(4), tol=1e-12).x[:3]
    found = weighed(rows.tolist(), chosen.tolist())
    assert found.weights == pytest.approx(expected, abs=2e-3)
    assert found.odds(rows[5]) == pytest.approx(float(table[5] @ expected), abs=1e-2)
    assert Weights.of(json.loads(json.dumps(found.plain()))) == found


def scored(odds, features):
    """Records of three candidates, the second one chosen, with log odds of the model and of features."""
    task, found = Recommendation(), []
    given = documents(task, *(record(id=f"u{i}") for i in range(len(odds))))
    for one, score, beside in zip(given, np.ravel(odds), np.ravel(features), strict=True):
        share = 1 / (1 + math.exp(-score))
        verdict = Verdict(("other", "chosen"), ("other",), np.array([1 - share, share]), False, 3, 3, (),
                          None if np.isnan(beside) else beside)  # fmt: skip
        found.append(Prediction(one.id, verdict, [True]))
    return ranking.score(given, found)


def test_features_are_added_and_their_gain_is_shown():
    odds = [[2.0, 1.0, 0.0], [3.0, 1.0, 2.0]]  # the chosen one is second, then last
    scores = scored(odds, [[0.0, 2.0, 0.0], [0.0, 1.5, 0.0]])  # then first, then second
    assert scores.metrics["auc"] == pytest.approx((0.5 + 0.0) / 2)
    assert scores.metrics["with_features_auc"] == pytest.approx((1.0 + 0.5) / 2)
    assert scores.metrics["with_features_mrr"] == pytest.approx((1 + 1 / 2) / 2)
    table = next(table for table in scores.tables if table.name == "with_features")
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert (row["the model"], row["with features"], row["gain"]) == pytest.approx((0.25, 0.75, 0.5))
    assert row["low"] <= row["gain"] <= row["high"]
    plain = scored(odds, [[0.0, 2.0, 0.0], [0.0, np.nan, 0.0]])
    assert not any("features" in name for name in plain.metrics)
    assert [table.name for table in plain.tables][-1] == "lists"


def test_the_diversity_is_that_of_the_first_candidates(monkeypatch):
    monkeypatch.setattr(recommended, "FIRST", 2)
    scores = scored([[2.0, 1.0, 0.0], [0.0, 1.0, 2.0]], np.full((2, 3), np.nan))
    rows = vectors(TEXTS)

    def apart(a, b):
        return 1 - sum(value * rows[b].get(term, 0) for term, value in rows[a].items())

    (found,) = [table for table in scores.tables if table.name == "lists"]
    diversity, covered = found.rows
    assert diversity[1] == pytest.approx((apart(0, 1) + apart(2, 1)) / 2)
    assert diversity[4] == pytest.approx((apart(0, 1) + apart(0, 2) + apart(1, 2)) / 3)
    assert (covered[1], covered[4]) == pytest.approx((1, 1 - 1 / 9))


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ([[1], [2]], r"'features' of line 1 has 2 lists for 3 candidates"),
        ([[1], [2], [3, 4]], r"'features\[2\]' of line 1 has 2 numbers and 'features\[0\]' 1"),
        ([[1], [2], ["x"]], r"'features\[2\]\[0\]' of line 1 is of type str"),
        ([[1], [2], [float("nan")]], r"'features\[2\]\[0\]' of line 1 .* give a finite number"),
        ([[], [], []], r"'features\[0\]' of line 1 has 0 numbers"),
        ([1, 2, 3], r"'features\[0\]' of line 1 is of type int: give a list"),
    ],
)
def test_bad_features_are_named(features, said):
    with pytest.raises(UserError, match=said):
        documents(Recommendation(), record(features=features))


def test_candidates_with_other_features_than_the_first_are_refused():
    task = Recommendation()
    given = documents(task, record(features=[[1], [2], [3]]), record(id="v"))
    with pytest.raises(UserError, match=r"candidates of line 2 have 0 features .* training documents 1"):
        task.learn_labels(given)


@pytest.mark.slow
def test_a_run_keeps_the_weights_and_features_that_tell_all_gain(tmp_path):
    draw = random.Random(1)
    for name, count in (("train", 12), ("dev", 6)):
        lines = []
        for i in range(count):
            labels = draw.sample([1, 0, 0, 0], 4)
            lines.append({"id": f"{name}{i}", "history": ["boats and ropes", f"town {i}"],
                          "candidates": [f"thing {i} {j}" for j in range(4)], "labels": labels,
                          "features": [[label + 0.1 * draw.random(), draw.random()] for label in labels]})  # fmt: skip
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = tmp_path / "run"
    options = [f"data.train_file={tmp_path}/train.jsonl", f"data.validation_file={tmp_path}/dev.jsonl",
               "strategy=chunk", "context=32", "model=tiny_bert", "model.hidden_size=32", "model.num_layers=1",
               "trainer.max_steps=1", "trainer.precision=fp32", "tracking=none", "task=recommendation"]  # fmt: skip
    assert main(["train", *options, f"hydra.run.dir={run}"]) == 0
    first = json.loads((run / "result.json").read_text())["metrics"]["validation"]
    assert first["with_features_auc"] == 1 > first["auc"]
    assert main(["eval", f"run={run}", f"hydra.run.dir={tmp_path}/eval"]) == 0
    assert json.loads((tmp_path / "eval" / "result.json").read_text())["metrics"]["validation"] == first
    out = tmp_path / "out.jsonl"
    assert main(["predict", f"run={run}", f"input={tmp_path}/dev.jsonl", f"output={out}"]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert all("score_with_features" in row for row in rows)
    assert rows[0]["profile"]
