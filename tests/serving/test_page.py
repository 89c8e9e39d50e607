"""The page at ``/`` in headless Chromium: it draws what the server says over the text, and loads nothing else."""

import json
import time
from pathlib import Path

import pytest

from ctxlab.serving import keys
from ctxlab.serving.addresses.page import POLICY
from tests.reporting.browser import CHROMIUM, DRIVER, browser
from tests.serving.fake import get, running

TEXT = "🚢 Ada & <img src=x onerror=\"document.title='canary'\"> came to Halden."
COVERAGE = {
    "tokens": 2000, "tokens_read": 1500, "characters": 400, "characters_read": 300, "characters_unknown": 4,
    "characters_split": 0, "windows": 4, "truncated": True,
}  # fmt: skip

needs_browser = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs Chromium and chromedriver")


def entity(kind, text):
    start = TEXT.index(text)
    return {"type": kind, "start": 0, "end": 1, "start_char": start, "end_char": start + len(text), "text": text}


def answered(record):
    timing = {"seconds": 1.25, "waiting_seconds": 0.0}
    return {"record": {"id": "a", **record}, "coverage": COVERAGE, "model": {}, "timing": timing}


RECORDS = {
    "ner": {"tokens": ["Ada"], "tags": ["B-PER"], "entities": [entity("PER", "Ada"), entity("LOC", "Halden")]},
    "classification": {"label": "<i>ham</i>", "probabilities": {"spam": 0.125, "<i>ham</i>": 0.875}},
    "qa": {"question": "Who?", "answer": "Ada", "start": TEXT.index("Ada"), "end": TEXT.index("Ada") + 3},
}
LINE = {"document": 0, "window": 0, "windows": 4, "windows_read": 1}


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def wait_for(window, script):
    deadline = time.monotonic() + 20
    while not (value := window.run(f"return {script}")):
        assert time.monotonic() < deadline, script
        time.sleep(0.05)
    return value


def read(window, found, text=TEXT, *, dark=False, width=1000):
    window.show(found.url, width, dark=dark)
    wait_for(window, "document.getElementById('model').textContent.length > 5")
    window.run(f"document.getElementById('text').value = {json.dumps(text)}; document.getElementById('read').click()")
    wait_for(window, "!document.getElementById('read').disabled")


def shown(window, name):
    return window.run(f"return document.getElementById('{name}').textContent")


def serving(folder, record, **given):
    return running(folder, lambda _: (200, answered(record)), lines=[LINE], **given)


@needs_browser
def test_entities_are_drawn_over_the_text_and_nothing_else_is_loaded(window, tmp_path):
    with serving(tmp_path, RECORDS["ner"]) as found:
        read(window, found)
        marks = window.run(
            "return [...document.querySelectorAll('mark')].map(m =>"
            " [m.firstChild.textContent, m.lastChild.textContent])"
        )
        assert marks == [["Ada", "PER"], ["Halden", "LOC"]]
        drawn = window.run(
            "const a = document.getElementById('answer').cloneNode(true);"
            "a.querySelectorAll('small').forEach(s => s.remove()); return a.textContent"
        )
        assert drawn == TEXT
        assert window.run("return [document.title, document.images.length]") == ["ctxlab: read a text", 0]
        facts = shown(window, "facts")
        assert all(part in facts for part in ("75.0 % of 2,000 tokens", "Windows4", "1.0 %", "1.25 s")), facts
        assert [json.loads(frame.body) for frame in found.workers.asked] == [{"text": TEXT}]
        loaded = window.run("return performance.getEntriesByType('resource').map(e => e.name)")
        assert {name.removeprefix(found.url) for name in loaded} == {
            "/page.css", "/page.js", "/v1/model", "/v1/documents/stream",
        }  # fmt: skip
        assert window.messages() == []


@needs_browser
def test_it_fits_a_phone_in_dark_and_light(window, tmp_path):
    with serving(tmp_path, RECORDS["ner"]) as found:
        colours = []
        for dark in (False, True):
            read(window, found, dark=dark, width=360)
            assert window.run("return document.documentElement.scrollWidth <= 360")
            colours.append(window.run("return getComputedStyle(document.body).backgroundColor"))
            window.picture(tmp_path / f"{dark}.png")
        assert colours == ["rgb(255, 255, 255)", "rgb(20, 23, 26)"]


@needs_browser
def test_labels_and_answers_are_drawn(window, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.serving.fake.SERVED", {**found_model(), "task": "classification"})
    with serving(tmp_path / "a", RECORDS["classification"]) as found:
        read(window, found)
        assert shown(window, "answer").startswith("<i>ham</i>")
        assert window.run("return document.querySelectorAll('i').length") == 0
        assert window.run("return [...document.querySelectorAll('meter')].map(m => m.value)") == [0.875, 0.125]
    monkeypatch.setattr("tests.serving.fake.SERVED", {**found_model(), "task": "qa"})
    with serving(tmp_path / "b", RECORDS["qa"]) as found:
        read(window, found)
        assert window.run("return document.querySelector('mark').textContent") == "Ada"
        assert window.run("return !document.getElementById('question-row').hidden")
        (frame,) = found.workers.asked
        assert json.loads(frame.body) == {"context": TEXT, "questions": [{"id": "1", "question": ""}]}


REASONS = {
    "id": "a", "explanation": "occlusion", "text": TEXT,
    "targets": [
        {"name": "<b>PER</b> Ada", "sentences": None, "words": [
            {"start": TEXT.index("Ada"), "end": TEXT.index("Ada") + 3, "value": 0.5},
            {"start": TEXT.index("came"), "end": TEXT.index("came") + 4, "value": -0.2},
            {"start": TEXT.index("to Ha"), "end": TEXT.index("to Ha") + 2, "value": 0.0},
        ]},
        {"name": "LOC Halden", "words": None, "sentences": [{"start": 0, "end": len(TEXT), "value": -2.0}]},
    ],
    "timing": {"seconds": 2.5},
}  # fmt: skip


@needs_browser
def test_what_an_answer_depends_on_is_drawn_part_by_part(window, tmp_path):
    asked = []

    def explained(frame):
        asked.append(json.loads(frame.body))
        return 200, REASONS if len(asked) < 3 else {**REASONS, "targets": [], "nothing": "There is no name."}

    weighed = "return [...document.querySelectorAll('#weighed mark')].map(m => [m.textContent, m.className, m.title])"
    with running(tmp_path, explained) as found:
        window.show(found.url, 1000)
        wait_for(window, "document.getElementById('model').textContent.length > 5")
        click = "document.getElementById('explain').click()"
        window.run(f"document.getElementById('text').value = {json.dumps(TEXT)}; {click}")
        wait_for(window, "!document.getElementById('reasons').hidden")
        assert window.run(weighed) == [["Ada", "for s5", "0.5"], ["came", "against s2", "-0.2"], ["to", "for s0", "0"]]
        assert shown(window, "weighed") == TEXT
        assert shown(window, "target") == "<b>PER</b> AdaLOC Halden"
        assert "By occlusion, in 2.50 s" in shown(window, "method")
        window.run(
            "const t = document.getElementById('target'); t.selectedIndex = 1; t.dispatchEvent(new Event('change'))"
        )
        assert window.run(weighed) == [[TEXT, "against s5", "-2"]]
        assert asked == [{"text": TEXT}]
        wait_for(window, "!document.getElementById('explain').disabled")
        window.run(click)
        wait_for(window, "!document.getElementById('explain').disabled")
        window.run(click)
        wait_for(window, "!document.getElementById('explain').disabled")
        assert shown(window, "error") == "There is no name."
        assert window.run("return document.getElementById('reasons').hidden")
        assert window.messages() == []


def found_model():
    return {"run": "run", "checkpoint": "", "sha256": "", "strategy": "chunk", "context_length": 16}


@needs_browser
def test_an_error_is_shown_and_a_key_asked_for(window, tmp_path):
    path = Path(tmp_path / "keys")
    key, secret = keys.made("alice", ["infer"], {})
    keys.add(path, key)
    with running(tmp_path, lambda _: (422, {"error": "<b>No</b> text."}), keys=path) as found:
        read(window, found)
        assert "needs a key" in shown(window, "error")
        assert window.run("return !document.getElementById('key-row').hidden")
        window.run(
            f"const k = document.getElementById('key'); k.value = '{secret}'; k.dispatchEvent(new Event('change'))"
        )
        wait_for(window, "document.getElementById('model').textContent.includes('strategy')")
        window.run("document.getElementById('read').click()")
        wait_for(window, "document.getElementById('error').textContent.includes('No')")
        assert shown(window, "error") == "<b>No</b> text."
        assert window.run("return document.cookie + JSON.stringify(localStorage)") == "{}"


def test_the_policy_allows_the_server_alone(tmp_path):
    with running(tmp_path) as found:
        for path, kind in (("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")):
            answer = get(found, path)
            assert answer.headers["Content-Type"].startswith(kind)
            assert answer.headers["Content-Security-Policy"] == POLICY
        assert "default-src 'none'" in POLICY
        assert "http" not in POLICY
        assert "unsafe" not in POLICY
