"""A real server with workers that are threads without a model: what they answer is a function of the body."""

import asyncio
import json
import socket
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from types import SimpleNamespace

from ctxlab.core.signals import StopRequest
from ctxlab.serving.access import Access
from ctxlab.serving.frames import packed, received
from ctxlab.serving.front import Front
from ctxlab.serving.jobs import Jobs
from ctxlab.serving.metrics import Metrics
from ctxlab.serving.pool import Pool
from ctxlab.serving.server import Address, _serve, listen
from ctxlab.serving.settings import Elastic, JobSettings, Limits

SERVED = {"run": "run", "checkpoint": "step-1", "sha256": "", "task": "ner", "strategy": "chunk", "context_length": 16}
FIGURES = {"documents": [[10, 10, 1, 40, 0]], "labels": {"B-PER": 3, "canary": 1}, "confidence": [0.75]}

DIE, KEEP = object(), object()
"""What a worker does instead of an answer: end at once, or keep the request for ever."""


def limits(**given):
    values = {
        "max_bytes": 10_000, "max_characters": 1000, "max_waiting": 8, "max_waiting_per_key": 4, "max_connections": 20,
        "head_seconds": 5.0, "body_seconds": 5.0, "drain_seconds": 0.2,
    }  # fmt: skip
    return Limits(**{**values, **given})


class Workers:
    """Threads instead of processes."""

    def __init__(self, answer, lines=()):
        self.answer, self.lines = answer, lines
        self.path, self.threads, self.left, self.asked, self.connections = "", [], [], [], {}

    def fork(self, number):
        self.threads.append(threading.Thread(target=self._work, args=(number,), daemon=True))
        self.threads[-1].start()

    def end(self):
        for thread in self.threads:
            thread.join(10)

    def kill(self, number):
        self.connections[number].shutdown(socket.SHUT_RDWR)

    def _work(self, number):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.path())
            self.connections[number] = connection
            connection.sendall(packed({"what": "hello", "number": number, "pid": number}))
            connection.sendall(packed({"what": "ready", "served": SERVED, "labels": ["O", "B-PER"]}))
            with connection.makefile("rb") as file:
                while (frame := received(file)) is not None:
                    if frame.header["what"] == "leave":
                        self.left.append(frame.header["number"])
                    elif not self._say(connection, frame):
                        return

    def _say(self, connection, frame):
        self.asked.append(frame)
        number = frame.header["number"]
        for line in self.lines if frame.header["kind"] == "stream" else ():
            connection.sendall(packed({"what": "line", "number": number}, json.dumps(line).encode()))
        found = self.answer(frame)
        if found is DIE:
            return False
        if found is not KEEP:
            status, content = found
            more = {"figures": FIGURES, "waiting": 0.0, "tokens_run": 0} if status == 200 else {"headers": {}}
            done = {"status": status, "tokens_read": 10 * len(self.asked), "busy_seconds": 0.1 * len(self.asked)}
            body = json.dumps(content).encode()
            connection.sendall(packed({"what": "answer", "number": number, **done, **more}, body))
        return True


def echo(frame):
    return 200, {"record": {"size": len(frame.body)}}


@contextmanager
def running(folder, answer=echo, *, lines=(), keys=None, workers=(1, 1), tls=None, **given):
    """A server with its address, front and workers, in a thread."""
    pool = Pool(Elastic(*workers, queue_seconds=given.pop("queue_seconds", 10.0)))
    jobs = Jobs(JobSettings(folder / "jobs", 5, given.pop("kept_seconds", 100.0)), pool)
    front = Front(pool=pool, access=Access(keys), limits=limits(**given), metrics=Metrics(), jobs=jobs, version="1")
    made, stop, ready = Workers(answer, lines), StopRequest(), threading.Event()
    made.path = lambda: pool.path
    pool.open()
    with listen("127.0.0.1", 0) as found:
        address = Address(found, ready.set, tls)
        failed = []

        def run():
            try:
                asyncio.run(_serve(front, made, address, stop))
            except BaseException as error:
                failed.append(error)
            finally:
                ready.set()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            assert ready.wait(30)
            assert not failed, failed
            port = found.getsockname()[1]
            yield SimpleNamespace(url=f"http://127.0.0.1:{port}", port=port, front=front, workers=made, stop=stop)
        finally:
            stop.signal_number = 15
            thread.join(30)
    assert not failed, failed


def ask(found, path="/v1/documents", body=b'{"text": "a"}', method="POST", **headers):
    """Status, headers and text of the answer."""
    given = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(found.url + path, body, given, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return SimpleNamespace(status=answer.status, headers=answer.headers, text=answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return SimpleNamespace(status=error.code, headers=error.headers, text=error.read().decode())


def get(found, path, **headers):
    return ask(found, path, None, "GET", **headers)


def raw(found, sent, *, wait=True):
    """What the server sends until it closes the connection."""
    with socket.create_connection(("127.0.0.1", found.port), timeout=30) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode() if wait else ""
