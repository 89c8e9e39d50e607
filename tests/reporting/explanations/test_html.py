"""The page: pieces cover the text, shades follow the values, everything is escaped; in Chromium nothing is amiss."""

import re

import pytest

from ctxlab.core.types import Table
from ctxlab.reporting.explanations.drawing import LEVELS, pieces
from ctxlab.reporting.explanations.html import Page, drawn, html
from ctxlab.reporting.explanations.picture import COLUMNS, MOST_LINES, draw, wrapped
from tests.reporting.browser import CHROMIUM, DRIVER, browser
from tests.reporting.page.test_html import ATTACK

TEXT = f"The key is 12345. Nothing\nhere <b>matters</b>. {ATTACK} end"


def unit(start, end, value, **more):
    return {"start": start, "end": end, "value": value, **more}


TARGET = {
    "name": f"label {ATTACK}", "score": 1.5, "base_score": -0.25, "added_tokens": 0.0, "steps": 16,
    "completeness_error": 0.013, "marked": [[11, 16]], "evidence": [[0, 17]],
    "words": [unit(0, 3, 0.1), unit(4, 7, -0.5), unit(8, 10, 0.0), unit(11, 16, 1.0)],
    "sentences": [unit(0, 17, 0.6, standard_error=0.05), unit(18, 49, -0.3)],
}  # fmt: skip

LINE = {
    "id": ATTACK, "text": TEXT, "targets": [TARGET, {**TARGET, "words": None}],
    "coverage": {"tokens": 20, "tokens_read": 16, "windows": 2},
}  # fmt: skip


def page(*lines):
    return Page(
        ATTACK, "lead", "ctxlab explain", [("declared reach", "holds", ATTACK)],
        [Table("t", "Wide table", [f"column {n}" for n in range(20)], [["a very long cell of a table"] * 20])],
        ["a note " * 30], [drawn(line) for line in lines],
    )  # fmt: skip


def test_pieces_cover_the_text_and_shades_follow_the_values():
    found = pieces(TEXT, TARGET["words"], TARGET)
    assert "".join(piece.text for piece in found) == TEXT
    valued = {piece.text: piece for piece in found if piece.value is not None}
    assert [valued[word].level for word in ("The", "key", "is", "12345")] == [1, -LEVELS // 2, 0, LEVELS]
    assert [piece.text for piece in found if piece.marked] == ["12345"]
    assert all(valued[word].evidence for word in valued)
    assert valued["12345"].look == "p8 mark known"
    sentences = pieces(TEXT, TARGET["sentences"], TARGET)
    assert [piece.tip for piece in sentences if piece.value is not None] == ["+0.6 ± 0.05, known evidence", "-0.3"]


def test_overlapping_and_absent_units():
    found = pieces("abcd", [unit(0, 2, 0.0), unit(1, 3, 0.0), unit(1, 2, 5.0)], {"marked": [], "evidence": []})
    assert [(piece.text, piece.level) for piece in found] == [("ab", 0), ("c", 0), ("d", 0)]
    assert "".join(piece.text for piece in pieces("abcd", [], {"marked": [], "evidence": []})) == "abcd"


def test_nothing_is_run_or_loaded():
    found = html(page(LINE, {**LINE, "targets": [], "nothing": "Nothing of the document was read."}))
    assert "<script" not in found
    assert "script-src" not in found
    assert re.search(r"default-src 'none'; img-src data:; style-src 'sha256-[\w+/=]+'", found.replace("&#39;", "'"))
    assert "style=" not in found
    assert "completeness error 1.30% after 16 steps" in found
    assert "16 of 20 tokens read, in 2 windows" in found
    assert "Nothing of the document was read." in found


def test_the_picture_wraps_long_texts_and_keeps_the_largest_value(tmp_path):
    words = [unit(5 * n, 5 * n + 4, float(n == 900)) for n in range(1200)]
    text = "abcd " * 1200
    rows = list(wrapped(pieces(text, words, TARGET)))
    assert all(sum(len(part) for _, part, _ in row) <= COLUMNS for row in rows)
    joined = "".join(part for row in rows for _, part, _ in row)
    assert joined.replace(" ", "") == text.replace(" ", "")
    assert len(rows) > MOST_LINES
    line = {"id": "$x^2$ 文", "text": text, "targets": []}
    path = draw(tmp_path / "p.png", line, {**TARGET, "words": words})
    assert path.stat().st_size > 5000
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver")
def test_in_a_browser(tmp_path):
    path = tmp_path / "index.html"
    path.write_text(html(page(LINE)))
    with browser(tmp_path / "profile") as window:
        for width, dark in ((400, False), (400, True), (1400, False), (1400, True)):
            window.show(path, width, dark=dark)
            inner, outer = window.run("return [document.documentElement.scrollWidth, innerWidth]")
            assert inner <= outer == width
            assert window.messages() == []
            assert window.run("return document.title") == ATTACK
            ink, paper = window.run(
                "const found = getComputedStyle(document.body); return [found.color, found.backgroundColor]"
            )
            bright = [sum(map(int, re.findall(r"\d+", color)[:3])) for color in (ink, paper)]
            assert (bright[0] > bright[1]) == dark
        shades = window.run(
            "return [...document.querySelectorAll('p.words span')].map(one => getComputedStyle(one).backgroundColor)"
        )
        assert len(set(shades[:3])) == 3  # for, against, strongly for
        seen = "return [...document.querySelectorAll('article:first-of-type p.text')].map(one => one.offsetHeight > 0)"
        assert window.run(seen) == [True, False]
        window.run("document.querySelector('input.sentences').click()")
        assert window.run(seen) == [False, True]
