"""``ctxlab report``: the command, its folder, and mistakes."""

import re
from pathlib import Path

import pytest

from ctxlab.cli import main
from ctxlab.core.tracking import Tracker
from ctxlab.tracking.none import NoTracking
from tests.reporting.runs import write_run

FILES = ["index.html", "report.csv", "report.md"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(Path("outputs/train/a"))
    write_run(Path("outputs/train/b"), strategy="dense", found=(9, 9, 9, 9))


def files(folder):
    return sorted(path.name for path in Path(folder).iterdir() if path.suffix in (".html", ".csv", ".md"))


def test_directories_without_a_key_are_reported_and_an_earlier_report_is_replaced(capsys):
    assert main(["report", "outputs", "output=page"]) == 0
    assert files("page") == FILES
    said = capsys.readouterr().out
    assert "ner: 2 candidates, the best dense at 512: f1 0.947" in said
    assert f"page: {Path('page/index.html')}" in said
    text = Path("page/index.html").read_text()
    assert main(["report", "outputs/train/a", "output=page"]) == 0
    assert "dense at 512" in text
    assert "dense at 512" not in Path("page/index.html").read_text()


def test_by_default_it_lies_among_the_outputs_and_reports_do_not_report_themselves():
    for _ in range(2):
        assert main(["report", "outputs"]) == 0
    folders = list(Path("outputs/report").iterdir())
    assert files(folders[0]) == FILES
    assert "2 runs of 1 task" in (folders[-1] / "report.md").read_text()


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to report"),
        (["nowhere"], "nowhere does not exist"),
        (["empty"], "empty contains no runs"),
        (["outputs/train/a/result.json"], "is a file: give the run directory outputs/train/a"),
        (["run=outputs"], "run=outputs: directories are given without a key, as in ctxlab report outputs"),
        (["outputs", "-m"], "leave out -m"),
        (["outputs", "output=outputs/train"], "output=.* exists and is not empty, nothing in it was touched"),
        (["outputs", "outptu=x"], "did you mean 'output'"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(words, said, capsys):
    Path("empty").mkdir()
    before = sorted(map(str, Path().rglob("*")))
    assert main(["report", *words]) == 2
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1
    assert re.search(said, error), error
    assert sorted(map(str, Path().rglob("*"))) == before


def test_a_folder_with_an_equals_sign_is_a_folder():
    write_run(Path("lr=0.1/a"), strategy="yarn")
    assert main(["report", "lr=0.1", "output=page"]) == 0
    assert "yarn at 512" in Path("page/report.md").read_text()


class Recording(Tracker):
    """Remembers what it is given."""

    calls: list

    def start(self, info):
        self.calls.append(("start", info.run_dir))

    def log(self, values, step):
        raise AssertionError

    def keep(self, files, kind):
        self.calls.append((kind, [file.name for file in files]))

    def finish(self, result, report):
        self.calls.append(("finish", result))


def test_a_tracker_keeps_the_files(monkeypatch):
    from ctxlab.workbench.reporting import session

    Recording.calls = []
    monkeypatch.setattr(session, "Guarded", lambda tracker: Recording() if isinstance(tracker, NoTracking) else None)
    assert main(["report", "outputs", "output=page"]) == 0
    assert Recording.calls == [
        ("start", Path.cwd() / "page"), ("report", ["index.html", "report.md", "report.csv"]), ("finish", {})
    ]  # fmt: skip
