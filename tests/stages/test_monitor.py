"""``ctxlab monitor`` through the real command: alarms, exit status, page, webhook, and going on where it stopped."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ctxlab.cli import main
from tests.reporting.browser import CHROMIUM, DRIVER, browser
from tests.stages.conftest import train

KILLS = 12
"""Kills of a command; at least ten must hit it before its end."""

WORDS = ["sun", "rain", "wind", "snow", "fog"]


def text(draw, length=12):
    return " ".join(draw.choices(WORDS, k=length))


def write(path: Path, records) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def dated(draw, num_days, surge_from=None):
    """Two documents a day of one topic, one or two of another, and many of the latter from a day on."""
    for offset in range(num_days):
        surge = surge_from is not None and offset >= surge_from
        for topic, count in (("billing", 2), ("delivery", 14 if surge else 1 + offset % 2)):
            for _ in range(count):
                day = (date(2026, 1, 1) + timedelta(days=offset)).isoformat()
                yield {"text": text(draw), "topic": topic, "date": day}


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> Path:
    """A classifier of two words, whose held-out documents are like the streams."""
    folder, draw = tmp_path_factory.mktemp("classifier"), random.Random(1)
    records = [{"text": text(draw), "label": "ab"[n % 2]} for n in range(40)]
    sources = [write(folder / f"{name}.jsonl", records) for name in ("train", "validation")]
    options = ("task=classification", f"data.train_file={sources[0]}", f"data.validation_file={sources[1]}")
    assert train(folder / "run", *options, "strategy=chunk", "context=32", "trainer.max_steps=2") == 0
    return folder / "run"


@pytest.fixture
def monitor(classifier, tmp_path):
    """The command on a stream, in a run directory of its own; returns the exit status."""

    def run(stream: Path, *options: str) -> int:
        run.count += 1
        words = ["monitor", f"run={classifier}", f"input={stream}", "tracking=none", *options]
        return main([*words, f"hydra.run.dir={tmp_path / f'r{run.count}'}"])

    run.count = 0
    return run


def alarms(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "alarms.jsonl").read_text().splitlines()]


def test_a_surge_rings_once_and_the_next_command_goes_on(monitor, tmp_path, capsys):
    draw = random.Random(2)
    whole = list(dated(draw, 30, surge_from=28))
    before = next(n for n, one in enumerate(whole) if one["date"] == "2026-01-29")
    stream = write(tmp_path / "s.jsonl", whole[:before])
    assert monitor(stream, "by=topic", "drift=none") == 0
    assert alarms(tmp_path / "s.monitor") == []
    write(stream, whole)
    assert monitor(stream, "by=topic", "drift=none") == 4
    assert "Alarm: 'delivery' has" in capsys.readouterr().err
    found = alarms(tmp_path / "s.monitor")
    assert [(one["rule"], one["subject"], one["day"]) for one in found] == [("poisson", "delivery", "2026-01-29")]
    assert monitor(stream, "by=topic", "drift=none") == 0
    assert alarms(tmp_path / "s.monitor") == found
    again = write(tmp_path / "again.jsonl", whole)  # at once: the same alarms
    assert monitor(again, "by=topic", "drift=none") == 4
    assert alarms(tmp_path / "again.monitor") == found
    rows = (tmp_path / "s.monitor" / "counts.csv").read_text().splitlines()[1:]
    assert sum(int(row.rsplit(",", 1)[1]) for row in rows) == len(whole)


def test_the_same_event_of_another_topic_is_linked(monitor, tmp_path):
    """What came in as deliveries on one day is called billing on the next, in the same words."""
    draw = random.Random(8)
    whole = list(dated(draw, 12))
    for day, topic in (("2026-01-13", "delivery"), ("2026-01-14", "billing")):
        whole += [{"text": text(draw) + " strike strike", "topic": topic, "date": day} for _ in range(16)]
    stream = write(tmp_path / "s.jsonl", whole)
    assert monitor(stream, "by=topic", "drift=none") == 4
    first, second = alarms(tmp_path / "s.monitor")
    assert (first["subject"], first["same_as"]) == ("delivery", None)
    assert (second["subject"], second["same_as"]) == ("billing", 1)
    assert "the same event as alarm 1 ('delivery' on 2026-01-13)" in second["sentence"]
    assert "alarm 1: delivery, 2026-01-13" in (tmp_path / "s.monitor" / "index.html").read_text()


class Received(BaseHTTPRequestHandler):
    """A webhook on this machine."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((self.headers["Idempotency-Key"], json.loads(body)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.mark.slow
def test_documents_that_are_longer_ring_within_50_and_are_posted_once(monitor, tmp_path):
    draw = random.Random(3)
    usual = [{"text": text(draw, draw.randint(8, 16))} for _ in range(60)]
    source = write(tmp_path / "usual.jsonl", usual)
    stream = write(tmp_path / "s.jsonl", [{"text": text(draw, 60)} for _ in range(50)])
    server = HTTPServer(("127.0.0.1", 0), Received)
    server.taken = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    hook = f"webhook=http://127.0.0.1:{server.server_port}/alarm"
    try:
        assert monitor(stream, f"reference={source}", hook) == 4
        assert monitor(stream, f"reference={source}", hook) == 0
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    found = alarms(tmp_path / "s.monitor")
    assert "tokens" in {one["subject"] for one in found}
    assert [body for _, body in server.taken] == found
    assert len({key for key, _ in server.taken}) == len(found)
    kept = json.loads((tmp_path / "s.monitor" / "reference.json").read_text())
    assert kept["num_documents"] == 60
    assert not any(word in json.dumps(kept) for word in WORDS)
    calm = write(tmp_path / "calm.jsonl", [{"text": text(draw, draw.randint(8, 16))} for _ in range(40)])
    assert monitor(calm, f"reference={tmp_path / 's.monitor' / 'reference.json'}", "drift=ks") == 0


@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver")
def test_the_page_opens_from_a_file_on_any_screen(monitor, tmp_path):
    records = [{**one, "topic": "<script>document.title='owned'</script>" if one["topic"] == "billing" else "delivery"}
               for one in dated(random.Random(4), 12, surge_from=10)]  # fmt: skip
    assert monitor(write(tmp_path / "s.jsonl", records), "by=topic", "drift=none") == 4
    page = tmp_path / "s.monitor" / "index.html"
    assert "default-src &#39;none&#39;" in page.read_text()
    with browser(tmp_path / "profile") as window:
        for width in (400, 1400):
            for dark in (False, True):
                window.show(page, width, dark=dark)
                assert window.run("return document.documentElement.scrollWidth") <= width
                assert window.messages() == []
                assert window.run("return document.title") == "monitor"
                script = "const one = getComputedStyle(document.body); return [one.color, one.backgroundColor]"
                ink, paper = (sum(map(int, re.findall(r"\d+", color)[:3])) for color in window.run(script))
                assert (ink > paper) == dark
        assert window.run("return document.querySelectorAll('.plot path.line').length") == 2
        assert "delivery" in window.run("return document.querySelector('blockquote').textContent")


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("records", "options", "expected"),
    [
        ([{"text": "sun"}], ("by=topic",), "has no field 'date': by= counts documents by day"),
        ([{"text": "sun", "date": "2026-01-01"}], ("by=topic", "drift=none"), "has no text in the field 'topic'"),
        ([{"text": "sun"}], ("drift=none",), "drift=none without by= watches nothing"),
        ([{"text": "sun"}], ("reference=nowhere.json",), "reference=nowhere.json does not exist"),
        ([{"text": "sun"}], ("drift=cusm",), "did you mean 'cusum'"),
        ([{"text": "sun"}], ("drift.slack=0",), "drift.slack=0"),
        ([{"text": "sun"}], ("webhook=example",), "webhook=example is no address"),
        ([{"words": "sun"}], (), "no field 'text'"),
    ],
)
def test_bad_input_is_named_and_nothing_is_left(classifier, tmp_path, refused, records, options, expected):
    stream = write(tmp_path / "s.jsonl", records)
    words = ["monitor", f"run={classifier}", f"input={stream}", "tracking=none", f"hydra.run.dir={tmp_path / 'r'}"]
    assert expected in refused([*words, *options])
    assert not (tmp_path / "s.monitor" / "cursor.json").exists()


def test_a_reference_of_another_task_is_refused(classifier, tmp_path, refused):
    content = {"format": 1, "task": "ner", "num_documents": 20, "figures": {"tokens": [1.0] * 20}, "labels": {}}
    (tmp_path / "ner.json").write_text(json.dumps(content))
    stream = write(tmp_path / "s.jsonl", [{"text": "sun"}])
    words = ["monitor", f"run={classifier}", f"input={stream}", "tracking=none", f"hydra.run.dir={tmp_path / 'r'}"]
    assert "is of task=ner, and the run of task=classification" in refused(
        [*words, f"reference={tmp_path / 'ner.json'}"]
    )


@pytest.mark.faults
def test_each_alarm_is_there_once_after_kills(classifier, tmp_path):
    """Oracle: the alarms of a command that nobody kills."""
    records = list(dated(random.Random(5), 400, surge_from=None))
    records = [one for n, one in enumerate(records) for _ in range(6 if n % 90 > 84 else 1)]
    stream = write(tmp_path / "s.jsonl", records)

    def command(output: str) -> list[str]:
        words = [f"run={classifier}", f"input={stream}", f"output={tmp_path / output}", "by=topic", "drift=none"]
        return [sys.executable, "-m", "ctxlab", "monitor", *words, "tracking=none", "trainer.device=cpu"]

    assert subprocess.run(command("whole"), cwd=tmp_path).returncode == 4
    place, draw, places = tmp_path / "killed" / "cursor.json", random.Random(6), []
    for _ in range(KILLS):
        old = place.read_bytes() if place.exists() else b""
        process = subprocess.Popen(command("killed"), cwd=tmp_path)
        while process.poll() is None and (not place.exists() or place.read_bytes() == old):
            time.sleep(0.005)
        time.sleep(draw.random() * 0.1)  # about two commits, wherever between alarms and cursor
        if process.poll() is not None:
            break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        cursor = json.loads(place.read_text())
        assert (tmp_path / "killed" / "alarms.jsonl").stat().st_size >= cursor["alarm_bytes"]
        places.append(cursor["place"])
    assert len(places) >= 10, "the stream is too short for so many kills on this machine"
    assert places == sorted(set(places))  # every command went on from where the one before was killed
    assert subprocess.run(command("killed"), cwd=tmp_path).returncode == 4  # nobody was told of the alarms yet
    assert alarms(tmp_path / "killed") == alarms(tmp_path / "whole")
    ends = [json.loads((tmp_path / name / "cursor.json").read_text()) for name in ("killed", "whole")]
    assert {**ends[0], "asked": None} == {**ends[1], "asked": None}
    assert ends[0]["place"] == stream.stat().st_size
    assert subprocess.run(command("killed"), cwd=tmp_path).returncode == 0
