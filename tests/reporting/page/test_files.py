"""Markdown and CSV of a report have the same figures as the page."""

import csv
import io

from ctxlab.reporting.page.contents import report
from ctxlab.reporting.page.files import markdown, table, write
from ctxlab.reporting.run_directories import find_runs
from tests.reporting.runs import write_run, write_verification


def made(folder):
    return report(find_runs([folder]), ["ctxlab", "report", str(folder)])


def test_the_csv_has_a_row_for_each_run_and_a_column_for_each_setting_that_differs(tmp_path):
    write_run(tmp_path / "a", seed=1)
    write_run(tmp_path / "b", seed=2, found=(10, 10, 10, 10))
    write_run(tmp_path / "c", strategy="dense", context=4096, settings={"optimizer": {"name": "sgd", "lr": 0.1}})
    write_run(tmp_path / "d", strategy="yarn", scores=False, result={"metrics": {"test": {"f1": float("nan")}}})
    write_verification(tmp_path / "v")
    rows = list(csv.DictReader(io.StringIO(table(made(tmp_path)))))
    assert len(rows) == 4
    by_strategy = {(row["strategy"], row["seed"]): row for row in rows}
    assert float(by_strategy["chunk", "1"]["score"]) == 2 * 26 / 66
    assert float(by_strategy["chunk", "2"]["score"]) == 1.0
    assert by_strategy["yarn", "1"]["score"] == ""
    assert by_strategy["dense", "1"]["optimizer.lr"] == "0.1"
    assert by_strategy["chunk", "1"]["optimizer.lr"] == "0.001"
    assert by_strategy["chunk", "1"]["coverage_labels"] == "0.5"
    assert by_strategy["dense", "1"]["train_seconds"] == "4096.0"
    assert "task" in rows[0]
    assert "task.labels" not in rows[0]


def test_the_markdown_has_tables_commands_and_what_was_skipped(tmp_path):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", strategy="dense", context=1024, found=(10, 10, 10, 10))
    (write_run(tmp_path / "torn") / "result.json").write_text("{")
    write_verification(tmp_path / "v")
    text = markdown(made(tmp_path))
    assert "| dense at 1,024 | 1.000 | [0.398, 1.000] | 1 | 25.0% | 50.0% | 1,024.0 | 2,560.0 | 1,024 |" in text
    assert "| chunk at 512 | 0.900 | 0.300 |" in text
    assert "chance 0.25" in text
    assert "ctxlab train strategy=dense" in text
    assert "### Is each strategy active?" in text
    assert "torn" in text
    assert text.index("dense at 1,024") < text.index("chunk at 512")


def test_all_files_are_written_and_written_over(tmp_path):
    write_run(tmp_path / "runs" / "a")
    out = tmp_path / "out"
    out.mkdir()
    for _ in range(2):
        assert [path.name for path in write(out, made(tmp_path / "runs"))] == ["index.html", "report.md", "report.csv"]
    assert sorted(path.name for path in out.iterdir()) == ["index.html", "report.csv", "report.md"]
