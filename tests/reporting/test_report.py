"""``report.md``: chance and baselines stand beside the scores."""

from ctxlab.core.result import parse
from ctxlab.core.types import Table
from ctxlab.reporting.report import summary_table, write_report

RESULT = {
    "stage": "eval", "task": "qa", "model": "m", "strategy": "chunk", "context_length": 8, "seed": 1, "checkpoint": "c",
    "cost": {}, "coverage": {}, "metrics": {"test": {"f1": 0.5}}, "primary_metric": "f1",
    "breakdowns": {"test": {"overall": [{"answer": "the model", "f1": 0.5}, {"answer": "first sentence", "f1": 0.09}]}},
}  # fmt: skip


def test_the_summary_has_the_baselines_of_the_primary_metric():
    rows = dict(summary_table(parse(RESULT, "here")).rows)
    assert rows["test f1"] == 0.5
    assert rows["test f1, first sentence"] == 0.09


def test_a_table_says_its_chance_once(tmp_path):
    columns, rows = ("words", "accuracy"), [("1–32", 0.5)]
    tables = [
        Table("a", "A", columns, rows, "a note", chance=0.25),
        Table("b", "B", columns, rows, "chance 0.33; another note", chance=0.33),
        Table("c", "C", columns, rows, "no chance"),
        Table("d", "D", columns, rows, chance=0.5),
    ]
    write_report(tmp_path / "report.md", parse(RESULT, "here"), {"test": tables}, [], "a: 1")
    lines = (tmp_path / "report.md").read_text().splitlines()
    assert [line for line in lines if "chance" in line] == [
        "chance 0.25; a note", "chance 0.33; another note", "no chance", "chance 0.50"
    ]  # fmt: skip
