"""``ctxlab compare``: killed while it runs, gone on with, and read whole."""

import html
import io
import json
import os
import re
import shutil
import signal
import time
from contextlib import redirect_stdout, suppress
from pathlib import Path

import pytest

from ctxlab.cli import main
from ctxlab.core.result import read
from ctxlab.training import checkpoint
from ctxlab.workbench.cells import process
from tests.stages.forked import Forked

SMALL = [
    "model=tiny_bert", "seeds=1", "budget.steps=2", "data.documents=2", "data.validation_documents=1",
    "data.test_documents=3", "data.words_per_document=100",
]  # fmt: skip

WORDS = ["compare", *SMALL, "context=64,400,1000", "strategy=chunk,longformer"]
"""Three cells: local attention is wider than 64 tokens, and no document reaches 400."""

CELLS = {"chunk-64-seed-1", "chunk-400-seed-1", "longformer-400-seed-1"}

PATIENCE_SECONDS = 240


def killed_after(words: list[str], folder: Path, num_results: int) -> dict[str, int]:
    """Kill the command with all it can do about it once so many cells have a result; when these were written."""
    begun = os.fork()
    if not begun:
        with suppress(BaseException):
            main([*words, f"hydra.run.dir={folder}"])
        os._exit(0)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(results(folder)) < num_results and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(begun, signal.SIGKILL)
    os.waitpid(begun, 0)
    return results(folder)


def results(folder: Path) -> dict[str, int]:
    """Cell → when its result was written, in nanoseconds."""
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("cells/*/result.json")}


@pytest.fixture(scope="module")
def compared(tmp_path_factory) -> tuple[Path, dict[str, int], str]:
    """A comparison that was killed in its second cell and gone on with: directory, what was done, what it printed.

    All processes are forks, which is quicker; test_compare_kill.py kills others.
    """
    folder = tmp_path_factory.mktemp("compared") / "run"
    shown = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(shown):
        patch.setattr(process, "start", Forked)
        patch.setattr("ctxlab.workbench.finish.draw", lambda *_: [])
        before = killed_after(WORDS, folder, 1)
        assert main(["compare", f"resume={folder}"]) == 0
    return folder, before, shown.getvalue()


def test_what_was_done_before_a_kill_is_not_done_again_and_nothing_is_missing(compared):
    folder, before, _ = compared
    after = results(folder)
    assert len(before) == 1
    assert set(after) == CELLS
    assert before.items() <= after.items()
    for name in CELLS:
        lines = [json.loads(line) for line in (folder / "cells" / name / "metrics.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines if line["kind"] == "train"] == [2]


def test_every_candidate_has_a_row_with_its_reason(compared):
    folder, _, _ = compared
    rows = {row["candidate"]: row for row in json.loads((folder / "comparison.json").read_text())["candidates"]}
    assert {title: row["status"] for title, row in rows.items()} == {
        "chunk at 64": "compared",
        "longformer at 64": "not applicable",
        "chunk at 400": "compared",
        "longformer at 400": "compared",
        "chunk at 1,000": "same",
        "longformer at 1,000": "same",
    }
    assert "wider than context.length=64" in rows["longformer at 64"]["reason"]
    assert rows["chunk at 1,000"]["as"] == "chunk at 400"
    assert rows["longformer at 1,000"]["as"] == "longformer at 400"


def test_figures_are_those_of_the_cells(compared):
    folder, _, _ = compared
    found = json.loads((folder / "comparison.json").read_text())
    assert (found["split"], found["baseline"], found["num_documents"]) == ("test", "chunk at 64", 3)
    scores = {name: read(folder / "cells" / name).metrics["test"]["f1"] for name in CELLS}
    for row in found["candidates"]:
        if row["status"] == "compared":
            assert row["f1"] == pytest.approx(scores[row["runs"][0]])
            if row["difference"]:
                assert row["difference"]["estimate"] == pytest.approx(row["f1"] - scores["chunk-64-seed-1"])
                assert row["difference"]["verdict"] == "undecided"


def test_the_screen_has_80_columns_and_ends_in_the_conclusion(compared):
    folder, _, text = compared
    table = text[text.index("f1 on 3 documents of the test split") :]
    page = [line for line in table.splitlines() if not line.startswith("page: ")]
    assert max(map(len, page)) <= 80
    closing = json.loads((folder / "comparison.json").read_text())["conclusion"]
    assert " ".join(page[-6:]).split()[-12:] == closing.split()[-12:]
    assert "two trained models" in closing
    assert (folder / "comparison.md").read_text().rstrip().endswith(closing)


def test_the_page_says_what_was_read_what_it_cost_and_how_to_repeat_it(compared):
    page = (compared[0] / "comparison.md").read_text()
    for part in ("What fits each context", "gold never read", "quality and cost", "By length",
                 "By distance of the evidence", "no better than chance (0.25)",
                 "ctxlab compare model=tiny_bert"):  # fmt: skip
        assert part in page, part


def test_the_same_page_for_a_browser_has_verdicts_plots_and_the_conclusion(compared):
    folder, _, _ = compared
    text = (folder / "index.html").read_text()
    closing = json.loads((folder / "comparison.json").read_text())["conclusion"]
    assert html.escape(closing) in text
    for part in ("against chunk at 64", "verdict", "wider than context.length=64", "Seeds 1", "chance 0.25",
                 "ctxlab compare model=tiny_bert", 'aria-label="f1 of each candidate"'):  # fmt: skip
        assert part in text, part
    cells = re.findall(r'<th scope=row>[^<]*</th>\s*<td class="n" data-v="[^"]*">([^<]*)</td>', text)[:3]
    rows = json.loads((folder / "comparison.json").read_text())["candidates"]
    assert cells == [f"{row['f1']:.3f}" for row in rows if row["status"] == "compared"]


def test_a_finished_cell_keeps_its_best_weights_only_and_they_load(compared):
    for name in CELLS:
        folder = compared[0] / "cells" / name
        (only,) = checkpoint.names(folder)
        assert checkpoint.find(folder, "best").name == only
        assert not (folder / "checkpoints" / only / checkpoint.OPTIMIZER).exists()


def test_processes_that_are_cells_have_a_given_number_of_threads(compared):
    costs = [read(compared[0] / "cells" / name).cost for name in CELLS]
    assert len({cost.threads for cost in costs}) == 1
    assert all(cost.train_cpu_seconds > 0 and cost.evaluation_documents == 4 for cost in costs)


def test_only_resume_can_be_said_to_a_comparison_that_goes_on(compared, capsys):
    assert main(["compare", f"resume={compared[0]}", "seeds=2"]) == 2
    assert "leave out seeds=2" in capsys.readouterr().err


@pytest.mark.slow
def test_a_cell_that_fails_has_a_row_and_the_others_are_compared(compared, tmp_path, capsys, monkeypatch):
    """One cell has lost its result, and cannot run again as its directory is not to be written."""
    folder = tmp_path / "run"
    shutil.copytree(compared[0], folder)
    broken = folder / "cells" / "longformer-400-seed-1"
    (broken / "result.json").unlink()
    for path in (broken / ".hydra").glob("overrides.yaml"):
        path.write_text("- model=nonsense\n")
    monkeypatch.setattr(process, "start", Forked)
    assert main(["compare", f"resume={folder}"]) == 1
    found = capsys.readouterr()
    assert "Cells of longformer at 400 failed; the others were compared." in found.err
    rows = {row["candidate"]: row for row in json.loads((folder / "comparison.json").read_text())["candidates"]}
    assert rows["longformer at 400"]["status"] == "failed"
    assert "longformer-400-seed-1" in rows["longformer at 400"]["reason"]
    assert rows["chunk at 400"]["status"] == "compared"


@pytest.mark.by_default(1)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["strategy=chunk,dense"], "add budget.seconds=120"),
        (["strategy=chunk", "budget.steps=1"], "There is nothing to compare"),
        (["strategy=chunk,dense", "budget.steps=1", "trainer.max_epochs=1"], "trainer.max_epochs=1 would limit"),
        (["strategy=chunk,dense", "budget.steps=1", "limit.memory=much"], "not an amount of memory"),
        (["strategy=chunk,dense", "budget.steps=0"], "budget.steps=0 is too small"),
        (["resume=conf"], "resume=conf is not the directory of a run"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_sentence_and_leaves_nothing(words, says, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("conf").mkdir()
    assert main(["compare", "model=tiny_bert", "data.documents=2", "data.words_per_document=30", *words]) == 2
    assert says in capsys.readouterr().err
    assert not list(Path().glob("outputs/compare/*/*"))


def test_names_of_cells_are_safe(compared):
    assert all(re.fullmatch(r"[\w.=-]+", name) for name in CELLS)
