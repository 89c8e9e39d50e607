"""Run directories are found wherever they lie; what cannot be read is named and skipped."""

import json

import pytest

from ctxlab.core.errors import UserError
from ctxlab.reporting.run_directories import MOST_POINTS, find_runs, names
from tests.reporting.runs import write_run, write_verification


def test_every_run_below_the_folders_is_found_once(tmp_path):
    for place in ("train/a", "compare/x/cells/chunk-512-seed-1", "sweeps/y/0"):
        write_run(tmp_path / place)
    write_verification(tmp_path / "verify" / "v")
    write_run(tmp_path / "train" / "a" / "checkpoints" / "inside")
    write_run(tmp_path / "compare" / "x" / "cells" / "chunk-512-seed-1.waited")
    found = find_runs([tmp_path, tmp_path / "train", tmp_path / "train" / "a"])
    assert [str(run.folder.relative_to(tmp_path)) for run in found.runs] == [
        "compare/x/cells/chunk-512-seed-1", "sweeps/y/0", "train/a", "verify/v"
    ]  # fmt: skip
    assert found.skipped == {}


def test_what_cannot_be_read_is_named_with_the_reason_and_the_others_are_kept(tmp_path):
    write_run(tmp_path / "good")
    (write_run(tmp_path / "torn") / "result.json").write_text('{"stage": "tr')
    (write_run(tmp_path / "no config") / "config.yaml").unlink()
    (write_run(tmp_path / "yaml") / "config.yaml").write_text("a: [")
    (write_run(tmp_path / "strange") / "result.json").write_text("[1]")
    failed = write_run(tmp_path / "failed")
    (failed / "result.json").unlink()
    (failed / "failure.json").write_text('{"error": "Out of luck."}')
    (write_run(tmp_path / "stopped") / "result.json").unlink()
    (tmp_path / "stopped" / ".hydra").mkdir()
    (tmp_path / "stopped" / ".hydra" / "overrides.yaml").write_text("[]")
    found = find_runs([tmp_path])
    assert [run.folder.name for run in found.runs] == ["good"]
    reasons = {name.rpartition("/")[2]: reason for name, reason in found.skipped.items()}
    assert set(reasons) == {"torn", "no config", "yaml", "strange", "failed", "stopped"}
    assert reasons["failed"] == "it failed: Out of luck."
    assert "stopped, or is still running" in reasons["stopped"]
    assert "config.yaml cannot be read" in reasons["no config"]
    assert "config.yaml cannot be read" in reasons["yaml"]


def test_a_comparison_brings_its_conclusion_and_is_no_run_itself(tmp_path):
    write_run(tmp_path / "cells" / "a")
    (tmp_path / "comparison.json").write_text(json.dumps({"conclusion": "chunk is enough."}))
    found = find_runs([tmp_path])
    assert found.conclusions == {str(tmp_path): "chunk is enough."}
    assert len(found.runs) == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [("nowhere", "does not exist"), ("file.txt", "is a file"), ("empty", "contains no runs")],
)
def test_folders_without_runs_are_refused(tmp_path, name, said):
    (tmp_path / "file.txt").touch()
    (tmp_path / "empty").mkdir()
    write_run(tmp_path / "good")
    with pytest.raises(UserError, match=said):
        find_runs([tmp_path / "good", tmp_path / name])


def test_no_folder_is_refused_and_so_are_folders_of_damaged_runs_only(tmp_path):
    with pytest.raises(UserError, match="nothing to report"):
        find_runs([])
    (write_run(tmp_path / "torn") / "result.json").write_text("{")
    with pytest.raises(UserError, match=r"No run has a result that can be read; .*torn"):
        find_runs([tmp_path])


def test_curves_are_thinned_but_end_where_the_run_ended(tmp_path):
    (run,) = find_runs([write_run(tmp_path / "a")]).runs
    assert run.curve("train", "tokens", "loss") == [(1000 * step, 2.0 / step) for step in range(1, 21)]
    rows = [{"kind": "train", "tokens": n, "loss": float("nan") if n == 5 else 1.0} for n in range(1, 1001)]
    (run.folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"torn')
    (again,) = find_runs([run.folder]).runs
    points = again.curve("train", "tokens", "loss")
    assert len(points) <= MOST_POINTS
    assert points[-1] == (1000, 1.0)
    assert 5 not in [at for at, _ in points]
    (again.folder / "metrics.jsonl").unlink()
    assert find_runs([run.folder]).runs[0].curve("train", "tokens", "loss") == []


def test_names_are_paths_below_what_all_share(tmp_path):
    several = [tmp_path / "train" / "a" / "1", tmp_path / "train" / "b" / "1"]
    assert list(names(several).values()) == ["a/1", "b/1"]
    assert names([tmp_path / "a"]) == {tmp_path / "a": "a"}
    assert names([]) == {}
