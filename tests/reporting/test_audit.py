"""The page of an audit: JSON and Markdown, and the page in headless Chromium, dark, light and on a phone."""

import json
import re

import pytest

from ctxlab.audit.groups import Groups
from ctxlab.audit.position import Position
from ctxlab.audit.swap import Swap
from ctxlab.core.audit import Audit, Audited
from ctxlab.reporting.audit import CAUTION, as_dict, html, markdown
from tests.audit import test_position
from tests.audit.simulated import Simulated, against, documents
from tests.reporting.browser import CHROMIUM, DRIVER, browser

ATTACK = "<script>document.title='owned'</script>"


@pytest.fixture(scope="module")
def audit():
    run = Simulated(documents(40), against("female", 0.9))
    moved = Simulated(test_position.documents(12), test_position.losing(lambda depth: depth > 0.6))
    checks = [(Groups(field="gender"), run), (Swap(["names_en"]), run), (Position(), moved), (Position(), run)]
    names = ("groups", "swap", "position", "again")
    made = [Audited(name, one.question, one.check(of), 0.1) for name, (one, of) in zip(names, checks, strict=True)]
    return Audit("runs/a", ATTACK, "tiny", "chunk", split="test", num_documents=40, rules=run.rules, checks=made,
                 command=["ctxlab", "audit", ATTACK], notes=[ATTACK])  # fmt: skip


def test_json_has_verdicts_comparisons_and_tables(audit):
    found = json.loads(json.dumps(as_dict(audit), allow_nan=False))
    assert found["found"] == ["groups", "swap", "position"]
    assert found["checks"]["again"]["verdict"] == "not applicable"
    first = found["checks"]["groups"]["compared"][0]
    assert first["is_found"]
    assert first["low"] < first["difference"] < first["high"] < 0
    assert found["checks"]["groups"]["tables"]["by_gender"][0]["group"] == "female"
    assert "not fairness proven" in found["caution"]


def test_markdown_and_page_say_what_was_found_and_what_it_is_not(audit):
    for text in (markdown(audit), html(audit)):
        assert "Found: groups, swap, position. Not examined: again." in text
        assert "lexical perturbation" in text
        assert CAUTION in text
    assert ATTACK not in html(audit)


@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver")
def test_the_page_opens_from_a_file_in_both_colours_and_on_a_phone(audit, tmp_path):
    page = tmp_path / "index.html"
    page.write_text(html(audit), encoding="utf-8")
    with browser(tmp_path / "profile") as window:
        for width, dark in ((400, True), (1400, False)):
            window.show(page, width, dark=dark)
            inner, outer = window.run("return [document.documentElement.scrollWidth, innerWidth]")
            assert inner <= outer == width
            assert window.messages() == []
            assert window.run("return document.title") != "owned"
            ink, paper = window.run(
                "const found = getComputedStyle(document.body); return [found.color, found.backgroundColor]"
            )
            bright = [sum(map(int, re.findall(r"\d+", color)[:3])) for color in (ink, paper)]
            assert (bright[0] > bright[1]) == dark
        points = window.run(
            "return [...document.querySelectorAll('svg.plot')].map(s => s.querySelectorAll('.point').length)"
        )
        assert points == [2, 10]  # two groups; ten depths
        assert window.run("return document.querySelectorAll('main > section').length") == 5
