"""Requests as an attacker sends them: no answer of 5xx, nothing of the request in an answer, and the server goes on.

Neither the framework's tests nor those of schema-based fuzzers send most of these.
"""

import json

import pytest

from tests.serving.fake import ask, get, raw, running

C = b"Canary7f3a"
HEAD = b"POST /v1/documents HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
CLOSE = b"Connection: close\r\n"

RAW = {
    "no host": b"GET /" + C + b" HTTP/1.1\r\n" + CLOSE + b"\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: " + C + b"\r\n" + CLOSE + b"\r\n",
    "empty line first": b"\r\n\r\nGET /" + C + b" HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n",
    "an absolute address": b"GET http://" + C + b"/ HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n",
    "a star": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n",
    "connect": b"CONNECT " + C + b":1 HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n",
    "a zero byte in the path": b"GET /%00" + C + b" HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n",
    "half a percent sign": b"GET /%" + C + b" HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n",
    "bytes in the path": b"GET /\xff\xfe" + C + b" HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n",
    "encoded bytes in the path": b"GET /v2/models/%ff%fe" + C + b" HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n",
    "dots": b"GET /../../etc/" + C + b" HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n",
    "a header in the path": b"GET /%0d%0aX:" + C + b" HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n",
    "a slash more": b"GET /v1/documents/ HTTP/1.1\r\nHost: " + C + b"\r\n" + CLOSE + b"\r\n",
    "a negative length": HEAD + CLOSE + b"Content-Length: -1\r\n\r\n" + C,
    "a huge length": HEAD + CLOSE + b"Content-Length: 99999999999999999999999\r\n\r\n" + C,
    "a long length": HEAD + CLOSE + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n" + C,
    "lengths that differ": HEAD + CLOSE + b"Content-Length: 1\r\nContent-Length: 9\r\n\r\n" + C,
    "a length and chunks": HEAD + CLOSE + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + C,
    "a chunk without a size": HEAD + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n" + C + b"\r\n",
    "a chunk of a huge size": HEAD + CLOSE + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + C,
    "another transfer encoding": HEAD + CLOSE + b"Transfer-Encoding: " + C + b"\r\n\r\n" + C,
    "websocket": b"GET /" + C + b" HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + C,
    "HTTP/1.0": b"GET /" + C + b" HTTP/1.0\r\n\r\n",
    "HTTP/0.9": b"GET /" + C + b"\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 30_000 + b"\r\n",
    "a folded header": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n " + C + b"\r\n" + CLOSE + b"\r\n",
    "a header without a name": b"GET / HTTP/1.1\r\nHost: a\r\n: " + C + b"\r\n" + CLOSE + b"\r\n",
    "bytes in a header": HEAD + CLOSE + b"Authorization: \xff\xfe" + C + b"\r\nContent-Length: 2\r\n\r\n{}",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + C,
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    with running(tmp_path_factory.mktemp("hostile"), head_seconds=0.5, body_seconds=0.5) as found:
        yield found


@pytest.mark.parametrize("name", RAW)
def test_a_raw_request_gets_no_error_of_the_server_and_no_echo(found, name):
    try:
        text = raw(found, RAW[name])
    except ConnectionResetError:
        text = ""
    statuses = [int(line.split()[1]) for line in text.splitlines() if line.startswith("HTTP/1.1 ")]
    assert all(200 <= status < 500 for status in statuses), text
    assert C.decode() not in text
    assert get(found, "/v2/health/ready").status == 200


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/v1/documents", "PUT"),
        ("/v1/jobs/" + "x" * 22, "GET"),
        ("/v1/jobs/..%2f..%2fCanary7f3a", "GET"),
        ("/v1/jobs/Canary7f3a", "DELETE"),
        ("/v1/jobs/" + "a" * 20_000, "GET"),
        ("/v2/models/Canary7f3a/infer", "POST"),
        ("/Canary7f3a?Canary7f3a=1", "GET"),
        ("/v1/documents?Canary7f3a=1", "GET"),
        ("/openapi.json?Canary7f3a=1", "POST"),
    ],
)
def test_other_addresses_are_refused_in_a_sentence(found, path, method):
    answer = ask(found, path, None if method in ("GET", "DELETE") else b"{}", method)
    assert 400 <= answer.status < 500
    assert list(json.loads(answer.text)) == ["error"]
    assert C.decode() not in answer.text


@pytest.mark.parametrize("kind", ["text/html", "application/xml", "application/json; charset=utf-16", "", "Canary7f3a"])
def test_other_types_are_refused(found, kind):
    answer = ask(found, Content_Type=kind)
    assert (answer.status, C.decode() in answer.text) == (415, False)
