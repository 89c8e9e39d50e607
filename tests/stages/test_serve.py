"""``ctxlab serve``: a real server on a free port, against ``ctxlab predict`` on the same file."""

import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import pytest

from ctxlab.cli import main
from ctxlab.core.folders import sha256
from ctxlab.stages import serve as stage
from ctxlab.training import checkpoint
from tests.faults.serve_fuzzing import fuzz
from tests.stages.forked import Forked

CANARY = "Canary7f3a"
LINE = "The Brisk sailed from Port Ada to Halden. "
RECORDS = [
    {"id": "short", "text": "Ada came to Port Ada."},
    {"id": "ü", "text": "Ädä — 東京 🚢 sailed; it's the Brisk's."},
    {"id": "long", "text": LINE * 120},
    {"id": "words", "tokens": ["Port", "Brisk", ".", "Ada"] * 40},
    {"id": "gold", "tokens": ["Ada", "came"], "tags": ["B-PER", "O"]},
]
LIMIT = 100_000


@contextmanager
def server(run, folder, *words):
    """A server in a process of its own, with its address once it is there."""
    words = ["serve", f"run={run}", "serve.port=0", f"hydra.run.dir={folder}", *words]
    process = Forked(words, folder.parent / "log" / folder.name, None)
    try:
        address, log = folder / "server.json", folder.parent / "log" / folder.name
        deadline = time.monotonic() + 240  # two seconds where nobody else computes
        while not address.is_file():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        url = json.loads(address.read_text())["url"]
        yield SimpleNamespace(url=url, port=int(url.rsplit(":", 1)[1]), process=process, log=log, folder=folder)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()


@pytest.fixture(scope="module")
def served(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "server"
    with server(
        trained, folder, f"serve.max_bytes={LIMIT}", "serve.max_characters=20000", "serve.body_seconds=0.5"
    ) as found:
        yield found


def ask(found, body, path="/v1/documents", method="POST", kind="application/json"):
    """Status and text of the answer."""
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    request = urllib.request.Request(found.url + path, data, {"Content-Type": kind} if kind else {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def raw(found, sent):
    """What the server sends until it closes the connection."""
    with socket.create_connection(("127.0.0.1", found.port), timeout=30) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


@pytest.fixture(scope="module")
def predicted(trained, tmp_path_factory):
    """The line of each record, predicted from a file with it alone, and of all from one file."""
    folder = tmp_path_factory.mktemp("predicted")

    def lines(name, records):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
        words = [f"input={folder / name}.jsonl", f"output={folder / name}.out", f"hydra.run.dir={folder / name}"]
        assert main(["predict", f"run={trained}", *words]) == 0
        return (folder / f"{name}.out").read_text().splitlines()

    alone = [line for i in (1, 2) for line in lines(str(i), [RECORDS[i]])]
    return SimpleNamespace(alone=dict(zip((1, 2), alone, strict=True)), together=lines("all", RECORDS))


def test_an_answer_is_the_line_of_predict_to_the_byte(served, predicted, trained):
    for i, line in predicted.alone.items():
        status, text = ask(served, RECORDS[i])
        assert status == 200
        assert text.startswith(f'{{"record": {line}, "coverage": ')
    found = json.loads(text)
    weights = checkpoint.find(trained, "best")
    assert found["model"] == {
        "run": "run", "checkpoint": weights.name, "sha256": sha256(weights / "model.safetensors"), "task": "ner",
        "strategy": "longformer", "context_length": 256,
    }  # fmt: skip
    characters = len(RECORDS[2]["text"].replace(" ", ""))
    coverage = found["coverage"]
    assert (coverage["characters"], coverage["characters_read"]) == (characters, characters)
    assert coverage["tokens"] == coverage["tokens_read"] > 1000
    assert (coverage["windows"] > 1, coverage["truncated"]) == (True, False)
    assert found["timing"]["seconds"] >= found["timing"]["waiting_seconds"] >= 0


def test_many_at_once_get_the_lines_of_predict(served, predicted):
    expected = {json.loads(line)["id"]: json.loads(line) for line in predicted.together}
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda record: ask(served, record), RECORDS * 4))
    for record, (status, text) in zip(RECORDS * 4, found, strict=True):
        assert status == 200
        assert json.loads(text)["record"] == expected[record["id"]]


def test_the_protocol_answers_the_same(served, predicted):
    tensor = {"name": "documents", "shape": [2], "datatype": "BYTES", "data": [json.dumps(RECORDS[1]), "Ada."]}
    status, text = ask(served, {"id": "7", "inputs": [tensor]}, "/v2/models/run/infer")
    found = json.loads(text)
    assert (status, found["model_name"], found["id"], found["outputs"][0]["shape"]) == (200, "run", "7", [2])
    assert found["outputs"][0]["data"][0].startswith(f'{{"record": {predicted.alone[1]}, ')
    assert ask(served, {"inputs": [tensor]}, "/v2/models/other/infer")[0] == 404
    for path, key in (("/v2/health/ready", "ready"), ("/v2/health/live", "live"), ("/v2/models/run/ready", "ready")):
        assert json.loads(ask(served, None, path, "GET", "")[1])[key] is True
    assert json.loads(ask(served, None, "/v2/models/run", "GET", "")[1])["inputs"][0]["name"] == "documents"
    paths = json.loads(ask(served, None, "/openapi.json", "GET", "")[1])["paths"]
    assert {"/v1/documents", "/v2/models/{model}/infer", "/v2/health/ready", "/v1/model"} <= paths.keys()


HOSTILE = [
    (400, f'{{"text": "{CANARY}"'.encode()),
    (400, f'["{CANARY}"]'.encode()),
    (400, f'{{"{CANARY}": NaN}}'.encode()),
    (400, f'{{"text": "{CANARY}", "n": 1e999}}'.encode()),
    (400, f'{{"{CANARY}": 1, "{CANARY}": 2}}'.encode()),
    (400, f'{{"text": "{CANARY}"}}'.encode("utf-16")),
    (400, b"[" * 90_000),
    (422, f'{{"text": "{CANARY} \\ud800"}}'.encode()),
    (422, {"text": [CANARY]}),
    (422, {"tokens": CANARY}),
    (422, {"tokens": [CANARY, {CANARY: CANARY}]}),
    (422, {"text": CANARY, CANARY: CANARY}),
    (422, {"text": "  "}),
    (422, {}),
    (413, b" " * (LIMIT + 1)),
    (413, {"tokens": [CANARY] * 2001}),
    (422, b'{"text": {"%s": [null]}}' % CANARY.encode()),
    (422, b'{"tokens": ["%s", 1e308]}' % CANARY.encode()),
    (400, b'{"text": "%s", "n": %s}' % (CANARY.encode(), b"9" * 5000)),
    (400, b'{"a":' * 5000 + b"1" + b"}" * 5000),
]


@pytest.mark.parametrize(("status", "body"), HOSTILE, ids=[f"{i}-{case[0]}" for i, case in enumerate(HOSTILE)])
def test_a_bad_body_gets_one_sentence_without_its_text(served, status, body):
    found, text = ask(served, body)
    assert found == status, text
    assert CANARY not in text
    (sentence,) = json.loads(text).values()
    assert sentence.endswith((".", "}.")), sentence


@pytest.mark.parametrize(
    ("status", "method", "path", "kind"),
    [
        (405, "GET", "/v1/documents", ""),
        (405, "DELETE", "/v1/documents", ""),
        (405, "POST", "/v2/health/ready", "application/json"),
        (404, "GET", "/docs", ""),
        (404, "GET", f"/{CANARY}", ""),
        (404, "GET", f"/v2/models/{CANARY}", ""),
        (415, "POST", "/v1/documents", "text/plain"),
        (415, "POST", "/v1/documents", "application/json; charset=utf-16"),
    ],
)
def test_other_addresses_methods_and_types(served, status, method, path, kind):
    found, text = ask(served, b"{}" if kind else None, path, method, kind)
    assert found == status
    assert list(json.loads(text)) == ["error"]
    assert CANARY not in text


def test_requests_that_are_too_large_too_slow_or_have_no_host(served):
    head = "POST /v1/documents HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    chunk = f"{50_000:x}\r\n{' ' * 50_000}\r\n"
    large = raw(served, f"{head}Transfer-Encoding: chunked\r\n\r\n{chunk * 3}".encode())
    assert large.startswith("HTTP/1.1 413 ")
    assert f"larger than {LIMIT:,} bytes" in large
    slow = raw(served, f'{head}Content-Length: 100\r\n\r\n{{"text"'.encode())
    assert slow.startswith("HTTP/1.1 408 ")
    assert raw(served, b"GET /v1/model HTTP/1.1\r\nConnection: close\r\n\r\n").startswith("HTTP/1.1 400 ")
    twice = b"GET /v1/model HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n"
    assert raw(served, twice).startswith("HTTP/1.1 400 ")
    assert ask(served, RECORDS[0])[0] == 200


def test_a_stream_tells_of_every_window_and_ends_with_the_answer(served, predicted):
    status, text = ask(served, RECORDS[2], "/v1/documents/stream")
    *lines, last = map(json.loads, text.splitlines())
    assert status == 200
    assert json.dumps(last["record"], ensure_ascii=False) == predicted.alone[2]
    windows = [line for line in lines if "window" in line]
    assert [line["window"] for line in windows] == list(range(last["coverage"]["windows"]))
    assert (windows[0]["tokens"][0], windows[-1]["tokens"][1]) == (0, last["coverage"]["tokens"])
    so_far = [line for line in lines if "record_so_far" in line]
    read = [line["coverage"]["tokens_read"] for line in so_far]
    assert read == sorted(set(read))
    assert 0 < read[0] < read[-1] < last["coverage"]["tokens"]
    for line in so_far:  # windows that were read have the labels of the whole answer
        tags = line["record_so_far"]["tags"]
        assert len(tags) == len(last["record"]["tags"])
        assert tags[:20] == last["record"]["tags"][:20]


@pytest.fixture(scope="module")
def explained(trained, tmp_path_factory):
    """The line of ``ctxlab explain`` for the long record."""
    folder = tmp_path_factory.mktemp("explained")
    (folder / "in.jsonl").write_text(json.dumps(RECORDS[2]) + "\n")
    words = [f"input={folder / 'in.jsonl'}", "explanation=gradient", "checks=0", f"hydra.run.dir={folder / 'x'}"]
    assert main(["explain", f"run={trained}", "tracking=none", *words]) == 0
    return json.loads((folder / "x" / "explanations.jsonl").read_text())


def test_an_explanation_is_the_line_of_explain_and_short_requests_are_answered_beside_it(served, explained):
    body = {**RECORDS[2], "explanation": "gradient"}
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(ask, served, body, "/v1/explain") for _ in range(2)]
        beside = [ask(served, RECORDS[0])[0] for _ in range(3)]
        answers = [each.result(60) for each in asked]
    assert beside == [200, 200, 200]
    for status, text in answers:
        found = json.loads(text)
        assert (status, found.pop("model")["task"]) == (200, "ner")
        assert found.pop("timing")["seconds"] > 0
        assert found == explained
        assert found["targets"]


def test_one_part_of_an_answer_is_explained(served, explained):
    name = explained["targets"][2]["name"]
    status, text = ask(served, {**RECORDS[2], "explanation": "gradient", "explained": name}, "/v1/explain")
    assert (status, json.loads(text)["targets"]) == (200, [explained["targets"][2]])


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"explanation": CANARY}, "There is no such explanation: choose among gradient, integrated, occlusion"),
        ({"explanation": ["gradient"]}, "The fields explanation and explained are texts"),
        ({"explained": CANARY, "explanation": "gradient"}, "The answer has no such part"),
        ({"explanation": "shapley"}, "120 sentences would be read about 4,800 times"),
        ({CANARY: 1}, "a field that task=ner does not read"),
    ],
)
def test_what_cannot_be_explained_is_a_sentence_without_its_text(served, more, says):
    status, text = ask(served, {**RECORDS[2], **more}, "/v1/explain")
    assert status == 422
    assert says in text
    assert CANARY not in text


def test_a_job_is_answered_like_a_request(served, predicted):
    url = json.loads(ask(served, RECORDS[1], "/v1/jobs")[1])["url"]
    while (job := json.loads(ask(served, None, url, "GET", "")[1]))["status"] == "waiting":
        time.sleep(0.02)
    assert json.dumps(job["answer"]["record"], ensure_ascii=False) == predicted.alone[1]


def test_fuzzed_bodies_get_no_error_of_the_server(served):
    statuses = fuzz(served.port, 160, seed=0)
    assert statuses.keys() >= {200, 400, 422}


def test_a_worker_that_is_killed_loses_nothing(served, predicted):
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask, served, RECORDS[2]) for _ in range(4)]
        (worker,) = json.loads(ask(served, None, "/v1/status", "GET", "")[1])["workers"]
        os.kill(worker, signal.SIGKILL)
        for each in asked:
            status, text = each.result(60)
            assert (status, json.loads(text)["record"]) == (200, json.loads(predicted.together[2]))


def test_no_text_is_left_in_the_run_directory(served):
    """Last of the tests of this server: what it was sent is in no file that it wrote."""
    assert ask(served, {"id": CANARY, "text": f"{CANARY} came."})[0] == 200
    files = [path for path in served.folder.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in [*files, served.log] if CANARY in path.read_text(errors="replace")]
    assert CANARY not in ask(served, None, "/metrics", "GET", "")[1]


def test_sigterm_finishes_what_runs_and_takes_nothing_new(trained, tmp_path):
    body = json.dumps({"id": "late", "text": LINE * 60}).encode()
    head = (
        "POST /v1/documents HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with server(trained, tmp_path / "s", "serve.drain_seconds=60") as found:
        with socket.create_connection(("127.0.0.1", found.port), timeout=60) as running:
            running.sendall(head.encode())
            assert running.recv(1000).startswith(b"HTTP/1.1 100 ")  # the request runs
            found.process.send_signal(signal.SIGTERM)
            with suppress(ConnectionRefusedError):
                while True:
                    socket.create_connection(("127.0.0.1", found.port), timeout=60).close()
                    time.sleep(0.05)
            running.sendall(body)
            text = b"".join(iter(lambda: running.recv(65536), b"")).decode()
        assert text.startswith("HTTP/1.1 200 ")
        assert json.loads(text.split("\r\n\r\n")[1])["coverage"]["truncated"] is False
        found.process.wait()
        assert found.process.returncode == 0
        assert "1 documents were answered, none is lost" in found.log.read_text()


def test_a_port_in_use_is_a_sentence_and_leaves_no_directory(trained, tmp_path, refused):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = ["serve", f"run={trained}", f"serve.port={port}", f"hydra.run.dir={tmp_path / 's'}"]
        assert f"serve.port={port} of 127.0.0.1 cannot be used (address already in use)" in refused(words)
    assert not (tmp_path / "s").exists()


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["serve.host=not.an.address.invalid"], "serve.host=not.an.address.invalid is not an address"),
        (["serve.port=70000"], "serve.port=70000 is out of range: give a number from 0 to 65535"),
        (["serve.prot=1"], "port"),
        (["serve.max_bytes=0"], "serve.max_bytes=0 is too small"),
        (["serve.drain_seconds=-1"], "serve.drain_seconds=-1.0 is not a limit"),
        (["serve.workers=2..1"], "serve.workers=2..1 is neither a number of processes nor a range"),
        (["serve.keys=/nowhere/keys"], "serve.keys=/nowhere/keys cannot be read (no such file or directory)"),
        (["checkpoint=latest", "run=/nowhere"], "/nowhere"),
        (["trainer.processes=2"], "by serve.workers=; leave it out"),
        (["-m", "seed=1"], "leave out -m"),
    ],
)
def test_bad_values_are_a_sentence(trained, tmp_path, refused, words, says):
    folder = tmp_path / "s"
    assert says in refused(["serve", f"run={trained}", f"hydra.run.dir={folder}", *words])
    assert not folder.exists()


def test_without_the_extra_there_is_a_sentence(trained, tmp_path, refused, monkeypatch):
    monkeypatch.setattr(stage, "WEB", ("fastapi", "a_library_that_is_missing"))
    says = refused(["serve", f"run={trained}", f"hydra.run.dir={tmp_path / 's'}"])
    assert says.endswith("needs a_library_that_is_missing, which is not installed: pip install 'ctxlab[serve]'.")
