"""Results of cells, and what a comparison says of context, from files that are written by hand."""

import json
from pathlib import Path

from ctxlab.comparison.candidate_results import CandidateResults, Failed, collect_results
from ctxlab.comparison.compare import Rules
from ctxlab.comparison.context_use import sentences, table
from ctxlab.comparison.leaderboard import leaderboard
from ctxlab.comparison.plan import Cell

CHANCE = 0.25


def write(folder: Path, *, f1: float = 0.5, validation: float = 0.5, evidence=((0.9, 0.8), (0.9, 0.8)), **cost) -> None:
    """A run directory with 4 documents, of whose 10 entities ``f1`` are found, and nothing else predicted wrongly."""
    rows = [
        {"words to the evidence": name, "mentions": 8, "accuracy": figure, "low": low, "high": 1.0}
        for name, (figure, low) in zip(("1–32", "33–128"), evidence, strict=True)
    ]
    costs = {"train_seconds": 10.0, "evaluation_seconds": 2.0, "evaluation_documents": 4, "flops": 1e9,
             "peak_memory_bytes": 2**20, **cost}  # fmt: skip
    result = {
        "stage": "train", "task": "ner", "model": "m", "strategy": "chunk", "context_length": 64, "seed": 1,
        "checkpoint": "c", "primary_metric": "f1", "lower_is_better": False, "cost": costs,
        "metrics": {"validation": {"f1": validation}, "test": {"f1": f1}},
        "coverage": {"test": {"tokens": 1.0, "labels": 1.0}},
        "breakdowns": {"test": {"by_evidence": rows}}, "chances": {"test": {"by_evidence": CHANCE}},
    }  # fmt: skip
    (folder / "scores").mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps(result))
    correct = round(10 * f1)
    lines = [
        {"id": f"d{i}", "group": f"d{i}",
         "statistics": {"entities": {"correct": correct, "predicted": 10, "gold": 10}}}
        for i in range(4)
    ]  # fmt: skip
    (folder / "scores" / "test.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def ran(folder: Path, key: str, **cell) -> CandidateResults:
    """A candidate of one cell."""
    write(folder / "cells" / f"{key}-seed-1", **cell)
    found = collect_results(folder, key, f"{key} at 64", [Cell(key, 1)])
    assert isinstance(found, CandidateResults)
    return found


def test_of_several_learning_rates_the_best_on_the_documents_that_select_counts(tmp_path):
    """Although another one looks better where it is reported."""
    plan = [Cell("chunk", 1, trial) for trial in (1, 2, 3)]
    for cell, (validation, test) in zip(plan, [(0.3, 0.9), (0.6, 0.2), (0.6, 0.4)], strict=True):
        write(tmp_path / "cells" / cell.name, validation=validation, f1=test)
    found = collect_results(tmp_path, "chunk", "chunk at 64", plan)
    assert isinstance(found, CandidateResults)
    assert [folder.name for folder in found.folders] == ["chunk-seed-1-trial-2"]
    assert found.split == "test"
    assert found.milliseconds_per_document().tolist() == [500.0]


def test_a_candidate_with_a_missing_cell_has_failed_and_says_which(tmp_path):
    write(tmp_path / "cells" / "chunk-seed-1")
    (tmp_path / "cells" / "chunk-seed-2").mkdir()
    (tmp_path / "cells" / "chunk-seed-2" / "failure.json").write_text('{"error": "Out of memory."}')
    plan = [Cell("chunk", seed) for seed in (1, 2, 3)]
    found = collect_results(tmp_path, "chunk", "chunk at 64", plan)
    assert isinstance(found, Failed)
    assert found.sentence == "chunk-seed-2: Out of memory. chunk-seed-3: it ended without a message: it was killed"


def test_context_is_used_as_far_as_intervals_lie_above_chance(tmp_path):
    found = sentences(
        [
            ran(tmp_path, "none", evidence=((0.3, 0.2), (0.2, 0.1))),
            ran(tmp_path, "near", evidence=((0.9, 0.8), (0.3, 0.2))),
            ran(tmp_path, "far"),
        ]
    )
    assert found == [
        "near at 64 uses context (1–32 words away: 0.90, chance 0.25), but no farther (33–128 words away: 0.30).",
        "far at 64 uses context up to the largest tested distance (33–128 words away: 0.90, chance 0.25).",
        "On cases that need context, none at 64 (0.25) scored no better than chance (0.25), near or far: these scores "
        "do not use context.",
    ]


def test_a_breakdown_has_a_column_for_each_candidate(tmp_path):
    found = table([ran(tmp_path, "a"), ran(tmp_path, "b", evidence=((0.5, 0.4), (0.25, 0.1)))], "by_evidence")
    assert found.columns == ("words to the evidence", "a at 64", "b at 64")
    assert [tuple(row) for row in found.rows] == [("1–32", 0.9, 0.5), ("33–128", 0.9, 0.25)]
    assert table([ran(tmp_path, "c")], "by_length") is None


def test_the_best_is_first_and_the_conclusion_is_about_the_cheapest(tmp_path):
    """10 documents of 10 entities would be equal in every document; here all four differ by 0.2."""
    found = leaderboard(
        [ran(tmp_path, "chunk", f1=0.5), ran(tmp_path, "long", f1=0.7, train_seconds=31.0)],
        "chunk",
        Rules(),
        is_equal_time=False,
    )
    assert [entry.candidate.key for entry in found.entries] == ["long", "chunk"]
    assert [round(entry.estimate, 6) for entry in found.entries] == [0.7, 0.5]
    assert found.entries[1].row is None
    assert round(found.entries[0].row.difference.estimate, 6) == 0.2
    assert "3.1 times the training time" in found.closing


def test_where_nothing_was_learned_nothing_is_concluded(tmp_path):
    found = leaderboard([ran(tmp_path, "a", f1=0.0), ran(tmp_path, "b", f1=0.0)], "a", Rules(), is_equal_time=True)
    assert found.closing == "Nothing can be concluded: every f1 is 0, no candidate learned anything in its budget."


def test_a_candidate_alone_has_no_verdict(tmp_path):
    found = leaderboard([ran(tmp_path, "a")], "a", Rules(), is_equal_time=True)
    assert found.comparison is None
    assert found.closing.startswith("There is nothing to conclude")
