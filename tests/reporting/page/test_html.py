"""The page is one file that escapes every text, loads nothing, and stays small."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ctxlab.reporting.page.contents import report
from ctxlab.reporting.page.html import html
from ctxlab.reporting.run_directories import find_runs
from tests.reporting.runs import write_run, write_verification

ATTACK = "<script>document.title='owned'</script>\"'><img src=x onerror=alert(1)>"


def page(*folders, command=("ctxlab", "report")):
    return html(report(find_runs(folders), command))


class Tags(HTMLParser):
    """Every element with its attributes, read by the parser of the standard library."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    handle_startendtag = handle_starttag


def test_a_run_named_like_a_script_is_text(tmp_path):
    """Everything that a run can bring: names, settings, notes, commands, bins, reasons."""
    rows = [{ATTACK: f"{index}{ATTACK}", "documents": 1, "f1": 0.5, "low": 0.1, "high": 0.9} for index in (1, 2)]
    write_run(tmp_path / "a", strategy=ATTACK, settings={ATTACK: ATTACK}, result={
        "task": ATTACK, "model": ATTACK, "primary_metric": "f1", "command": ["ctxlab", ATTACK],
        "versions": {ATTACK: ATTACK}, "breakdowns": {"test": {"by_length": rows}},
    })  # fmt: skip
    write_run(tmp_path / "b", strategy="chunk", settings={ATTACK: "other"}, result={"task": ATTACK})
    bad = write_run(tmp_path / "c <script>")
    (bad / "result.json").unlink()
    (bad / "failure.json").write_text('{"error": "<script>alert(1)</script>"}')
    text = page(tmp_path, command=["ctxlab", "report", ATTACK])
    tags = Tags(text).found
    assert [tag for tag, _ in tags].count("script") == 1  # ours
    assert [tag for tag, _ in tags].count("img") == 0
    assert not any(name.startswith("on") or name == "style" for _, given in tags for name in given)
    assert "&lt;script&gt;" in text


def test_the_policy_allows_exactly_the_style_and_the_script_of_the_page(tmp_path):
    write_run(tmp_path / "a")
    text = page(tmp_path)
    policy = next(given["content"] for tag, given in Tags(text).found if given.get("http-equiv"))
    assert policy.startswith("default-src 'none';")
    for tag, kind in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        hashed = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind} 'sha256-{hashed}'" in policy
    assert "unsafe" not in policy


def test_nothing_is_loaded_from_anywhere(tmp_path):
    write_run(tmp_path / "a")
    for _, given in Tags(page(tmp_path)).found:
        for name in ("src", "href", "action", "data"):
            assert given.get(name, "#").startswith(("#", "data:,"))


def test_what_is_no_number_is_a_dash(tmp_path):
    nan, infinite = float("nan"), float("inf")
    write_run(tmp_path / "a", scores=False, result={
        "metrics": {"test": {"f1": nan}}, "cost": {"train_seconds": infinite, "flops": nan, "train_steps": 3},
        "breakdowns": {"test": {"by_length": [{"words": name, "documents": 1, "f1": nan, "low": nan, "high": nan}
                                              for name in ("1–2", "3–4")]}},
    })  # fmt: skip
    write_run(tmp_path / "b", strategy="dense")
    text = page(tmp_path).split("<script>")[0].split("</style>")[1]
    assert not re.search(r"\b(nan|inf)\b", text, re.IGNORECASE)
    assert "–</td>" in text


def test_tasks_have_sections_of_their_own(tmp_path):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", result={"task": "relation"})
    write_verification(tmp_path / "v", failed=["positions"])
    text = page(tmp_path)
    assert re.findall(r"<h2>(.*?)</h2>", text) == ["ner", "relation"]
    assert "FAILED: positions" in text
    assert "2 of 3" in text


def test_no_path_of_the_machine_is_on_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "outputs" / "a")
    (write_run(tmp_path / "outputs" / "b") / "result.json").write_text("{")
    assert str(tmp_path) not in page(Path("outputs"))


def test_two_hundred_runs_are_at_most_three_megabytes(tmp_path):
    for index in range(200):
        command = ["ctxlab", "train", *["key.of.a=value"] * 15]
        write_run(tmp_path / str(index), seed=index % 2, strategy=f"strategy_{index // 2 % 20}",
                  context=512 * (1 + index // 40), result={"command": command})  # fmt: skip
    text = page(tmp_path)
    assert len(text.encode()) < 3e6
    assert text.count('class="point') > 100


@pytest.mark.parametrize("task", ["ner", "relation"])
def test_one_run_is_a_page_too(tmp_path, task):
    write_run(tmp_path / "a", result={"task": task})
    assert f"<h1>Report: {task}</h1>" in page(tmp_path)
