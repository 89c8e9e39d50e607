"""Workers that die, are replaced, started and stopped; they are threads without a model."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

from ctxlab.serving import pool as pools
from ctxlab.serving import suspects
from tests.serving.fake import DIE, KEEP, ask, echo, get, running


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def figures(found):
    lines = [line for line in get(found, "/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_what_a_dead_worker_had_is_answered_by_another(tmp_path):
    with running(tmp_path, lambda _: KEEP) as found, ThreadPoolExecutor(6) as threads:
        bodies = [json.dumps({"text": "a" * i}).encode() for i in range(6)]
        asked = [threads.submit(ask, found, body=body) for body in bodies]
        wait_for(lambda: len(found.workers.asked) == 6)
        found.workers.answer = echo
        found.workers.kill(1)
        for body, each in zip(bodies, asked, strict=True):
            answer = each.result(30)
            assert (answer.status, json.loads(answer.text)["record"]["size"]) == (200, len(body))
        assert figures(found)["ctxlab_worker_deaths"] == 1
        assert json.loads(get(found, "/v1/status").text)["workers"] == [2]


def test_a_document_that_ends_workers_is_given_up_and_no_other_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(suspects, "REST_SECONDS", (0.05, 0.1))

    def answer(frame):
        return DIE if b"poison" in frame.body else echo(frame)

    with running(tmp_path, answer) as found:
        refused = ask(found, body=b'{"text": "poison"}')
        assert (refused.status, "poison" in refused.text) == (503, False)
        assert len(found.workers.asked) == suspects.MAX_DEATHS + 3
        assert ask(found).status == 200


def test_requests_that_many_killed_workers_had_are_tried_one_at_a_time_and_answered(tmp_path):
    deaths = suspects.MAX_DEATHS + 1
    with running(tmp_path, lambda _: KEEP) as found, ThreadPoolExecutor(6) as threads:
        asked = [threads.submit(ask, found) for _ in range(6)]
        for number in range(1, deaths + 1):
            wait_for(lambda: len(found.workers.asked) == (6 if found.front.pool._made <= suspects.MAX_DEATHS else 1))
            found.workers.asked.clear()
            found.workers.answer = echo if number == deaths else found.workers.answer
            found.workers.kill(number)
        assert [each.result(30).status for each in asked] == [200] * 6
        assert figures(found)["ctxlab_worker_deaths"] == deaths
        assert not found.front.pool.num_waiting


def test_a_stream_goes_on_where_the_dead_worker_stopped(tmp_path):
    lines = [{"window": i, "windows": 3, "windows_read": i + 1} for i in range(3)]
    deaths = []

    def answer(frame):
        if not deaths:
            deaths.append(frame)
            return DIE
        return echo(frame)

    with running(tmp_path, answer, lines=lines) as found:
        answer = ask(found, "/v1/documents/stream")
        assert answer.headers["Content-Type"] == "application/x-ndjson"
        assert [json.loads(line) for line in answer.text.splitlines()] == [*lines, {"record": {"size": 13}}]


def test_more_workers_for_a_long_queue_and_fewer_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr(pools, "LOOK_SECONDS", 0.02)
    with running(tmp_path, workers=(1, 3), queue_seconds=0.01, max_waiting=20) as found:
        pool = found.front.pool
        pool._steps._idle_seconds = 0.1
        assert ask(found).status == 200  # measures 100 tokens a second, see fake.py
        found.workers.answer = lambda _: KEEP
        with ThreadPoolExecutor(2) as threads:
            asked = [threads.submit(ask, found, body=b'{"text": "%s"}' % (b"a" * 500)) for _ in range(2)]
            wait_for(lambda: pool.num_workers == 3)
            assert figures(found)["ctxlab_desired_replicas"] > 3
            found.workers.answer = echo
            assert len(found.workers.left) == 1  # the first new worker has one of the two
            for number in {1: 0, 2: 0}:
                found.workers.kill(number)
            assert [each.result(30).status for each in asked] == [200, 200]
        wait_for(lambda: figures(found)["ctxlab_workers"] == 1)
        assert ask(found).status == 200


def test_a_client_that_leaves_stops_its_work(tmp_path):
    import socket

    with running(tmp_path, lambda _: KEEP) as found:
        for path in ("/v1/documents", "/v1/documents/stream"):
            with socket.create_connection(("127.0.0.1", found.port)) as connection:
                head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
                connection.sendall(f"{head}{{}}".encode())
                wait_for(lambda: found.workers.asked)
            wait_for(lambda: found.workers.left)
            assert found.workers.left == [found.workers.asked[0].header["number"]]
            wait_for(lambda: not found.front.waiting)
            found.workers.asked.clear()
            found.workers.left.clear()
        assert found.front.num_bytes == 0
        assert found.front.pool.cut_off == 0


def test_figures_have_names_of_fixed_sets_only(tmp_path):
    with running(tmp_path) as found:
        ask(found)
        names = figures(found).keys()
        for i in range(5):
            get(found, f"/canary{i}")
            get(found, f"/v1/jobs/canary{i}")
            ask(found, f"/v2/models/canary{i}/infer")
            ask(found, "/v1/documents", b"canary", "CANARY", Canary="canary")
        ask(found)
        now = figures(found)
        assert not [name for name in now if "canary" in name]
        values = {value for name in now.keys() - names for value in re.findall(r'(?:address|status)="([^"]*)"', name)}
        assert values <= {
            "other", "none", "/metrics", "/v1/documents", "/v1/jobs/{job}", "/v2/models/{model}/infer", "200", "400",
            "404",
        }  # fmt: skip
        # two documents of FIGURES: the label that is not the task's is not named
        assert now['ctxlab_labels_total{label="B-PER"}'] == 6
        assert now['ctxlab_labels_total{label="other"}'] == 2
        assert (now["ctxlab_documents_total"], now['ctxlab_tokens_total{read="yes"}']) == (2, 20)
        assert (now["ctxlab_confidence_sum"], now["ctxlab_coverage_sum"]) == (1.5, 2)


def test_figures_are_counted_over_all_workers(tmp_path):
    with running(tmp_path, workers=(2, 2)) as found, ThreadPoolExecutor(4) as threads:
        assert [answer.status for answer in threads.map(lambda _: ask(found), range(8))] == [200] * 8
        assert figures(found)["ctxlab_documents_total"] == 8
        assert figures(found)["ctxlab_workers"] == 2
