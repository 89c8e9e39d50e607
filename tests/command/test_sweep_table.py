"""The closing table of a multirun: seeds averaged with their spread, costs, a column for each key that differs."""

import io
from itertools import product
from statistics import mean, stdev

import pytest
from rich.console import Console

from ctxlab.command.sweep_table import Row, fitting, given, shared, table, varied
from ctxlab.reporting.tables import show


def row(job, words, score=0.5, *, status="done", metric="f1", memory=2**30):
    return Row(
        job=str(job), overrides=" ".join(words), given=given(words), metric=metric, score=score, coverage_tokens=0.75,
        train_seconds=120.0, evaluation_ms_per_document=3.25, tokens_per_second=1850.0, peak_memory_bytes=memory,
        status=status, error="", mistake=False,
    )  # fmt: skip


SCORES = [0.1, 0.3, 0.2, 0.9, 0.7, 0.8]


def grid():
    """Two strategies, three seeds each."""
    cells = product(("chunk", "longformer"), (1, 2, 3))
    return [
        row(index, ["task=ner", f"strategy={strategy}", "+x=1", f"seed={seed}"], SCORES[index])
        for index, (strategy, seed) in enumerate(cells)
    ]


def test_seeds_are_averaged_with_their_spread():
    found = table(grid(), "jobs")
    assert found.columns == ["strategy", "f1", "±", "read", "train s", "ms/doc", "MiB"]
    assert [cells[:3] for cells in found.rows] == [
        (name, f"{mean(own):.3f}", f"{stdev(own):.3f}")
        for name, own in (("chunk", SCORES[:3]), ("longformer", SCORES[3:]))
    ]
    assert found.rows[0][3:] == ("75.0%", "120.0", "3.2", "1,024")
    assert found.note == "means over 3 seeds, ± their standard deviation"


def test_what_all_have_in_common_is_said_apart():
    assert varied(grid()) == ["strategy", "seed"]
    assert shared(grid()) == {"task": "ner", "x": "1"}
    only = grid()[:1]
    assert varied(only) == ["task", "strategy", "x", "seed"]
    assert shared(only) == {}


def test_a_failed_seed_does_not_count_and_is_said():
    rows = [row(0, ["seed=1"], 0.4), row(1, ["seed=2"], None, status="failed"), row(2, ["seed=3"], 0.6)]
    (cells,) = table(rows, "jobs").rows
    assert cells[:2] == ("0.500", "0.141")
    assert cells[-1] == "1 failed"
    (cells,) = table([row(i, [f"seed={i}"], None, status="failed") for i in (1, 2)], "jobs").rows
    assert cells[:2] == ("", "")
    assert cells[-1] == "failed"


def test_without_several_seeds_there_is_a_row_for_each_job():
    rows = [row(index, [f"strategy={name}", f"seed={index}"]) for index, name in enumerate(("chunk", "dense"))]
    found = table(rows, "jobs")
    assert found.columns[:4] == ["job", "strategy", "seed", "f1"]
    assert [cells[:3] for cells in found.rows] == [("0", "chunk", "0"), ("1", "dense", "1")]


def test_several_metrics_have_no_common_name():
    rows = [row(0, ["task=ner"]), row(1, ["task=lm"], metric="perplexity")]
    assert "metric" in table(rows, "jobs").columns


@pytest.mark.parametrize("name", ["selective_context", "sparse_transformer"])
def test_no_name_is_cut_at_80_columns(name):
    rows = [
        row(index, [f"context={length}", f"strategy={strategy}", f"optimizer.lr={rate}", f"seed={seed}"], memory=2**34)
        for index, (length, strategy, rate, seed) in enumerate(
            product(("512", "16384"), ("chunk", name), ("0.00005", "0.001"), "12")
        )
    ]
    screen = Console(width=80, record=True, file=io.StringIO())
    show(screen, fitting(rows, "jobs", 80))
    shown = screen.export_text()
    assert shown.count(name) == 4
    assert shown.count("0.00005") == 4
    assert "train" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert "MiB" not in shown
    assert fitting(rows, "jobs", 200).columns[-1] == "MiB"


def test_numbers_of_seeds_that_differ_have_a_column():
    rows = [row(0, ["x=1", "seed=1"]), row(1, ["x=1", "seed=2"]), row(2, ["x=2", "seed=1"])]
    found = table(rows, "jobs")
    assert found.columns[0] == "seeds"
    assert [cells[0] for cells in found.rows] == ["2", "1"]
