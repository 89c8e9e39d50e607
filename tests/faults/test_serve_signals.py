"""Signals at any moment of a server's start: none is lost, and the exit status says which it was."""

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.stages.conftest import trained  # noqa: F401
from tests.stages.forked import Forked
from tests.stages.test_serve import LINE, server

REPOSITORY = Path(__file__).parents[2]

MARKS = {
    "the libraries are loaded": "ctxlab.stages.serve:run",
    "the port is taken": "ctxlab.serving.server:listen",
    "the journal is read": "ctxlab.serving.jobs:Jobs.__init__",
    "the process that forks is made": "ctxlab.serving.forks:Forks.__init__",
    "the loop begins": "ctxlab.serving.server:_serve",
    "the first worker is asked for": "ctxlab.serving.pool:Pool._fork",
    "uvicorn is configured": "ctxlab.serving.server:_config",
    "uvicorn begins to listen": "ctxlab.serving.server:_Server.startup",
}
"""Functions at whose beginning the process gets a signal."""


def run_at(place, number, run, folder, monkeypatch):
    """The exit status and the log of a server that gets a signal at a place."""
    module, _, name = place.partition(":")
    *owners, last = name.split(".")
    owner, test = importlib.import_module(module), os.getpid()
    for one in owners:
        owner = getattr(owner, one)
    real = getattr(owner, last)

    def first(*args, **kwargs):
        if os.getpid() != test:
            print("MARK", flush=True)
            os.kill(os.getpid(), number)
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, last, first)
    log = folder.parent / "log" / "s"
    process = Forked(["serve", f"run={run}", "serve.port=0", f"hydra.run.dir={folder}"], log, None)
    process.wait()
    assert "MARK" in log.read_text()
    return process.returncode, log.read_text()


def check(done, folder, expected=143):
    """A server that was stopped before it was ready leaves no directory; one that was ready, its address."""
    status, log = done
    ready = (folder / "server.json").is_file()
    assert status == (0 if ready else expected), log
    assert "Traceback" not in log
    assert "Stopped" in log
    assert ready or not list(folder.glob("*"))


@pytest.mark.parametrize("place", ["the journal is read", "the first worker is asked for"])
def test_a_signal_at_the_start_is_obeyed(trained, tmp_path, monkeypatch, place):  # noqa: F811
    check(run_at(MARKS[place], signal.SIGTERM, trained, tmp_path / "s", monkeypatch), tmp_path / "s")


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
@pytest.mark.parametrize("place", MARKS)
def test_a_signal_at_every_step_of_the_start_is_obeyed(trained, tmp_path, monkeypatch, place, number):  # noqa: F811
    done = run_at(MARKS[place], number, trained, tmp_path / "s", monkeypatch)
    check(done, tmp_path / "s", 75 if number == signal.SIGUSR1 else 143)


@pytest.mark.faults
def test_a_signal_at_any_time_is_obeyed(trained, tmp_path):  # noqa: F811
    """At tenths of the time to readiness; all processes are hit, as a service manager does."""

    def start(name):
        words = [sys.executable, "-m", "ctxlab", "serve", f"run={trained}", "serve.port=0"]
        with (tmp_path / f"{name}.log").open("w") as log:
            given = [*words, f"hydra.run.dir={tmp_path / name}"]
            return subprocess.Popen(given, cwd=REPOSITORY, stdout=log, stderr=log, start_new_session=True)

    began, process = time.monotonic(), start("whole")
    while not (tmp_path / "whole" / "server.json").is_file():
        assert process.poll() is None
        time.sleep(0.02)
    whole = time.monotonic() - began
    process.terminate()
    assert process.wait(30) == 0
    for tenth in range(1, 12):
        process = start(str(tenth))
        time.sleep(tenth / 10 * whole)
        os.killpg(process.pid, signal.SIGTERM)
        status = process.wait(30)
        ready = (tmp_path / str(tenth) / "server.json").is_file()
        allowed = (0,) if ready else (143, -signal.SIGTERM)  # the second before Python reads the command
        assert status in allowed, (tenth, (tmp_path / f"{tenth}.log").read_text())


@pytest.mark.faults
def test_a_second_signal_does_not_wait(trained, tmp_path):  # noqa: F811
    with server(trained, tmp_path / "s", "serve.drain_seconds=60") as found:
        body = json.dumps({"text": LINE}).encode()
        with socket.create_connection(("127.0.0.1", found.port), timeout=60) as running:
            head = (
                "POST /v1/documents HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
            )
            running.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
            assert running.recv(1000).startswith(b"HTTP/1.1 100 ")
            began = time.monotonic()
            found.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            found.process.send_signal(signal.SIGTERM)
            found.process.wait()
        assert time.monotonic() - began < 30
        assert found.process.returncode in (0, 143)
