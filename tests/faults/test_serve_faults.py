"""``ctxlab serve`` under attack and with dying workers: minutes."""

import json
import os
import random
import signal
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest

from tests.faults.serve_fuzzing import CANARY, fuzz
from tests.stages.conftest import trained  # noqa: F401
from tests.stages.test_serve import LINE, ask, server

pytestmark = pytest.mark.faults


def status(found):
    with urllib.request.urlopen(f"{found.url}/v1/status", timeout=60) as answer:
        return json.loads(answer.read())


def test_ten_thousand_fuzzed_requests(trained, tmp_path):  # noqa: F811
    with server(trained, tmp_path / "s") as found:
        statuses = fuzz(found.port, 10_000, seed=1)
        print(statuses)
        assert sum(statuses.values()) == 10_000
        assert statuses.keys() >= {200, 400, 422}
        assert status(found)["waiting"] == 0
        with urllib.request.urlopen(f"{found.url}/metrics", timeout=60) as answer:
            figures = answer.read().decode()
        assert "ctxlab_worker_deaths 0.0" in figures
        files = [path for path in found.folder.rglob("*") if path.is_file()]
        assert not [path for path in [*files, found.log] if CANARY in path.read_text(errors="replace")]
        assert CANARY not in figures


def test_workers_that_are_killed_lose_nothing(trained, tmp_path):  # noqa: F811
    documents = [{"id": str(i), "text": LINE * (5 + i % 7 * 20)} for i in range(120)]
    with server(trained, tmp_path / "s", "serve.workers=2") as found:
        over, deaths = Event(), []

        def kill():
            draw = random.Random(7)
            while not over.wait(draw.uniform(0.5, 3.0)) and len(deaths) < 8:
                if pids := status(found)["workers"]:
                    deaths.append(draw.choice(pids))
                    os.kill(deaths[-1], signal.SIGKILL)

        killer = Thread(target=kill)
        killer.start()
        with ThreadPoolExecutor(8) as threads:
            jobs = [json.loads(ask(found, document, "/v1/jobs")[1])["url"] for document in documents[:40]]
            answers = list(threads.map(lambda document: ask(found, document), documents))
        over.set()
        killer.join()
        lost = [i for i, (code, _) in enumerate(answers) if code != 200]
        found_ids = [json.loads(text)["record"]["id"] for code, text in answers if code == 200]
        assert (lost, found_ids) == ([], [document["id"] for document in documents])
        assert len(deaths) >= 3
        for url in jobs:
            while (job := json.loads(ask(found, None, url, "GET", "")[1]))["status"] == "waiting":
                time.sleep(0.1)
            assert job["status"] == "done", job


def test_the_server_is_killed_and_its_jobs_are_answered_by_the_next(trained, tmp_path):  # noqa: F811
    journal = f"serve.jobs={tmp_path / 'jobs'}"
    with server(trained, tmp_path / "a", journal) as found:
        urls = [json.loads(ask(found, {"text": LINE * 200}, "/v1/jobs")[1])["url"] for _ in range(12)]
        workers = status(found)["workers"]
        found.process.kill()
        found.process.wait()
    deadline = time.monotonic() + 20
    while any(os.path.exists(f"/proc/{pid}") for pid in workers):  # noqa: PTH110  (workers end with their server)
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with server(trained, tmp_path / "b", journal) as found:
        for url in urls:
            while (job := json.loads(ask(found, None, url, "GET", "")[1]))["status"] == "waiting":
                time.sleep(0.1)
            assert job["answer"]["coverage"]["truncated"] is False


def test_one_worker_two_and_one_again(trained, tmp_path):  # noqa: F811
    with server(trained, tmp_path / "s", "serve.workers=1..2", "serve.queue_seconds=0.5") as found:
        assert len(status(found)["workers"]) == 1
        ask(found, {"text": LINE})
        most = 0
        with ThreadPoolExecutor(8) as threads:
            asked = [threads.submit(ask, found, {"text": LINE * 150}) for _ in range(60)]
            while not all(each.done() for each in asked):
                most = max(most, len(status(found)["workers"]))
                time.sleep(0.2)
        assert {each.result()[0] for each in asked} == {200}
        assert most == 2
        deadline = time.monotonic() + 90
        while len(status(found)["workers"]) > 1:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        assert ask(found, {"text": LINE})[0] == 200
