"""The page in headless Chromium: no error, tables sort, plots are there, nothing is wider than the window."""

import re

import pytest

from ctxlab.reporting.page.contents import report
from ctxlab.reporting.page.html import html
from ctxlab.reporting.run_directories import find_runs
from tests.reporting.browser import CHROMIUM, DRIVER, browser
from tests.reporting.page.test_html import ATTACK
from tests.reporting.runs import write_run, write_verification

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver (apt-get install chromium chromium-driver)"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page of two tasks, one of them with a name that would run if it were not escaped."""
    folder = tmp_path_factory.mktemp("page")
    long = "a_setting_with_a_very_long_value_" * 4
    for index, (strategy, context, found) in enumerate(
        [("chunk", 512, (2, 3, 4)), ("dense", 4096, (10, 9, 8)), ("truncate", 16384, (3, 3, 4))]
    ):
        for seed in (1, 2):
            write_run(folder / "runs" / f"{index}-{seed}", strategy=strategy, context=context, found=found, seed=seed,
                      settings={"value": long + strategy}, result={"command": ["ctxlab", "train", long]})  # fmt: skip
    write_run(folder / "runs" / "attack", strategy=ATTACK, result={"task": ATTACK, "model": ATTACK})
    write_verification(folder / "runs" / "v")
    path = folder / "index.html"
    path.write_text(html(report(find_runs([folder / "runs"]), ["ctxlab", "report", ATTACK])))
    return path


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    """One browser for all tests."""
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.by_default(2)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_is_wider_than_the_window_and_the_console_is_silent(window, page, width, dark):
    window.show(page, width, dark=dark)
    inner, outer = window.run("return [document.documentElement.scrollWidth, innerWidth]")
    assert outer == width
    assert inner <= width
    assert window.messages() == []
    assert window.run("return document.title") != "owned"
    ink, paper = window.run(
        "const found = getComputedStyle(document.body); return [found.color, found.backgroundColor]"
    )
    bright = [sum(map(int, re.findall(r"\d+", color)[:3])) for color in (ink, paper)]
    assert (bright[0] > bright[1]) == dark


SECTIONS = "[...document.querySelectorAll('section')]"
TABLE = f"{SECTIONS}.find(one => one.querySelector('h2').textContent === 'ner').querySelector('table')"

SECONDS = 6
"""Column of the seconds of training, whose order as text is another one: 16,384.0 before 4,096.0 before 512.0."""


def cells(window, column):
    return window.run(f"return [...{TABLE}.tBodies[0].rows].map(row => row.cells[{column}].textContent)")


def names(window):
    return [text.split(" ")[0] for text in cells(window, 0)]


def click(window, column):
    window.run(f"{TABLE}.tHead.rows[0].cells[{column}].querySelector('button').click()")


def test_a_click_on_a_header_sorts_by_number_and_a_second_one_turns_the_order(window, page):
    window.show(page, 1400)
    scores = [float(text) for text in cells(window, 1)]
    assert scores == sorted(scores, reverse=True)  # the best first
    assert len(set(scores)) == 3
    click(window, 1)
    assert [float(text) for text in cells(window, 1)] == [0.462, 0.5, 0.947]  # 461538 is more than 5 as text
    click(window, SECONDS)
    assert cells(window, SECONDS) == ["512.0", "4,096.0", "16,384.0"]
    assert window.run(f"return {TABLE}.querySelector('th[aria-sort]').getAttribute('aria-sort')") == "ascending"
    click(window, SECONDS)
    assert cells(window, SECONDS) == ["16,384.0", "4,096.0", "512.0"]
    assert names(window) == ["truncate", "dense", "chunk"]  # rows move as a whole
    click(window, 0)
    assert names(window) == ["chunk", "dense", "truncate"]
    assert window.run(f"return {TABLE}.querySelectorAll('th[aria-sort]').length") == 1


def test_plots_have_size_and_their_points_speak_when_they_are_focused(window, page):
    window.show(page, 1400)
    sizes = window.run(
        "return [...document.querySelectorAll('svg.plot')].map(s => [s.getBoundingClientRect().width, "
        "s.querySelectorAll('.point').length])"
    )
    assert len(sizes) >= 8
    assert all(width > 200 and points > 0 for width, points in sizes)
    window.run('document.querySelector(\'svg[aria-label="f1 of each candidate"] .point[tabindex="0"]\').focus()')
    assert "dense at 4,096" in tip(window)
    for key in ("ArrowRight", "ArrowLeft", "ArrowDown"):
        window.press(key)
    assert "truncate at 16,384" in tip(window)
    window.press("Tab")  # to the next plot
    assert (
        window.run("return document.activeElement.closest('svg').getAttribute('aria-label')") != "f1 of each candidate"
    )
    window.press("Escape")
    assert tip(window) is None
    window.run("document.activeElement.blur()")


def tip(window):
    """What is told at the moment."""
    return window.run("const tip = document.querySelector('.tip'); return tip.hidden ? null : tip.textContent")


def test_no_text_of_a_plot_leaves_it(window, page):
    window.show(page, 1400)
    outside = window.run(
        "return [...document.querySelectorAll('svg.plot text')].filter(t => { const a = t.getBoundingClientRect(), "
        "b = t.closest('svg').getBoundingClientRect(); return a.left < b.left - 2 || a.right > b.right + 12; })"
        ".map(t => t.textContent)"
    )
    assert outside == []


def test_without_scripts_tables_and_titles_are_there(window, page):
    bare = page.with_name("bare.html")
    bare.write_text(re.sub(r"<script>.*</script>", "", page.read_text(), flags=re.DOTALL))
    window.show(bare, 1400)
    buttons, rows, titles, points = (
        window.run(f"return document.querySelectorAll('{selector}').length")
        for selector in ("thead button", "tbody tr", ".point title", ".point")
    )
    assert buttons == 0
    assert rows > 10
    assert titles == points > 10


def test_print_is_dark_on_white_and_has_what_is_folded(window, page):
    window.show(page, 1000, dark=True, media="print")
    paper, height = window.run(
        "return [getComputedStyle(document.body).backgroundColor, document.querySelector('details dl').offsetHeight]"
    )
    assert paper == "rgb(255, 255, 255)"
    assert height > 0
