"""Limits of connections and headers, and health outside of them."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial

from ctxlab.serving import connection
from tests.serving.fake import KEEP, ask, get, raw, running
from tests.serving.test_pool import figures, wait_for

HEALTH = b"GET /v2/health/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
MODEL = b"GET /v1/model HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def test_a_request_that_never_comes_or_never_ends_is_closed(tmp_path):
    with running(tmp_path, head_seconds=0.2) as found:
        assert raw(found, b"") == ""
        late = raw(found, b"GET /v1/model HTTP/1.1\r\nHost: a\r\n")
        assert late.startswith("HTTP/1.1 408 ")
        assert json.loads(late.split("\r\n\r\n")[1])["error"].endswith("after 0.2 seconds.")
        first = b"GET /v1/model HTTP/1.1\r\nHost: a\r\n\r\n"
        again = raw(found, first + b"GET /v1/mod")  # the second request of a connection
        assert again.count("HTTP/1.1 ") == 2
        assert "HTTP/1.1 408 " in again
        assert figures(found)['ctxlab_requests_total{address="none",status="408"}'] == 2


def test_a_client_that_sends_a_byte_at_a_time_is_late(tmp_path):
    with running(tmp_path, head_seconds=0.3) as found, socket.create_connection(("127.0.0.1", found.port)) as one:
        sent = 0
        with suppress(OSError):  # the server has closed the connection
            for byte in b"GET /" + b"a" * 500:
                one.sendall(bytes([byte]))
                sent += 1
                time.sleep(0.02)
        assert sent < 100


def test_a_header_has_a_size(tmp_path):
    with running(tmp_path) as found:
        large = raw(found, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"canary" * 20_000)
        assert large.startswith("HTTP/1.1 431 ")
        assert "canary" not in large
        assert get(found, "/", X="a" * 1000).status == 200


def test_what_is_not_http_gets_our_own_error(tmp_path):
    with running(tmp_path) as found:
        for sent in (
            b"canary\r\n\r\n",
            b"GET canary HTTP/9.9\r\n\r\n",
            b"\x16\x03\x01canary\r\n\r\n",
            b"GET / HTTP/1.1\r\ncanary\r\n\r\n",
        ):
            answer = raw(found, sent)
            assert answer.startswith("HTTP/1.1 400 ")
            assert list(json.loads(answer.split("\r\n\r\n")[1])) == ["error"]
            assert "canary" not in answer


def test_health_is_answered_however_many_connections_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "SPARE", 3)
    with running(tmp_path, max_connections=4) as found, ExitStack() as stack:
        opened = [stack.enter_context(socket.create_connection(("127.0.0.1", found.port))) for _ in range(4)]
        wait_for(lambda: raw(found, MODEL).startswith("HTTP/1.1 429 "))
        refused = raw(found, MODEL)
        assert "retry-after: 1" in refused.lower()
        assert raw(found, HEALTH).startswith("HTTP/1.1 200 ")
        for one in opened:
            one.close()
        wait_for(lambda: get(found, "/v1/model").status == 200)


def test_a_full_queue_says_when_to_come_again(tmp_path):
    with running(tmp_path, lambda _: KEEP, max_waiting=3) as found, ThreadPoolExecutor(3) as threads:
        for _ in range(3):
            threads.submit(partial(ask, found))
        wait_for(lambda: len(found.workers.asked) == 3)
        for path in ("/v1/documents", "/v1/documents/stream", "/v2/models/run/infer"):
            refused = ask(found, path)
            assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
            assert "3 documents are waiting" in refused.text
        assert get(found, "/v2/health/ready").status == 200
        found.stop.signal_number = 15


def test_bodies_in_memory_are_bounded(tmp_path):
    with running(tmp_path) as found:
        found.front.num_bytes = 8 * 10_000 - 5
        refused = ask(found)
        assert (refused.status, "too much to read" in refused.text) == (429, True)
        found.front.num_bytes = 0
        assert ask(found).status == 200
        assert found.front.num_bytes == 0
