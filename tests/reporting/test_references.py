"""Chance and baselines without a model, as tasks record them."""

from ctxlab.core.result import parse
from ctxlab.reporting.references import of_rows, references

RESULT = {
    "stage": "train", "task": "t", "model": "m", "strategy": "chunk", "context_length": 8, "seed": 1, "checkpoint": "c",
    "cost": {}, "coverage": {}, "metrics": {"test": {"f1": 0.5}},
}  # fmt: skip


def found(metric, rows=(), chances=None):
    result = parse({**RESULT, "primary_metric": metric, "breakdowns": {"test": {"overall": list(rows)}},
                    "chances": {"test": chances or {}}}, "here")  # fmt: skip
    return {one.name: one.figure for one in references(result, "test")}


def test_baselines_stand_below_the_row_of_the_model():
    rows = [{"answer": "the model", "f1": 0.5}, {"answer": "first sentence", "f1": 0.1}, {"answer": "BM25", "f1": 0.4}]
    assert found("f1", rows) == {"first sentence": 0.1, "BM25": 0.4}
    assert {one.name: one.figure for one in of_rows(rows, "f1")} == {"first sentence": 0.1, "BM25": 0.4}


def test_rankings_have_chance_beside_each_figure():
    rows = [{"figure": "recall@1", "value": 0.5, "by chance": 0.1}, {"figure": "mrr", "value": 0.6, "by chance": 0.29}]
    assert found("mrr", rows) == {"chance": 0.29}
    assert found("recall_at_1", rows) == {"chance": 0.1}


def test_other_rows_are_no_baselines_and_nothing_is_invented():
    assert found("f1", [{"entities": "all", "f1": 0.5}, {"entities": "PER", "f1": 0.9}]) == {}
    assert found("recall", chances={"overall": 0.1}) == {"chance": 0.1}
    assert found("f1", [{"answer": "the model", "f1": 0.5}, {"answer": "lead", "f1": float("nan")}]) == {}
    assert found("f1") == {}
    assert of_rows([], "f1") == []
