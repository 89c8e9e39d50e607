"""``ctxlab serve`` against ``ctxlab predict``: bytes, processor time, turns beside a long document, health, memory."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scripts.bench.timing import ctxlab, row

LINE = "The Brisk sailed from Port Ada to Halden, where Ora Lund of the Tarn company waited. "
WINDOW = 512
"""Tokens of a window, and of a pass of the server."""

DOCUMENTS, AT_ONCE, REPEATS = 12, 8, 35
"""Documents of about 700 tokens for processor time, and how many are sent at the same time."""

LONG_TOKENS, SHORT_REQUESTS, HEALTH_SECONDS = 100_000, 40, 0.02
MANY, WARM = 2_000, 200
"""Short documents for memory, and after how many of them it is first taken."""

TRAINING = (
    "task=ner", "model=minilm", "tracking=none", "strategy=chunk", f"context={WINDOW}", "data.documents=4",
    "data.validation_documents=2", "data.test_documents=2", "data.words_per_document=200", "trainer.max_steps=2",
    "trainer.precision=fp32", "trainer.tokens_per_step=1024",
)  # fmt: skip


@dataclass(frozen=True)
class Server:
    """A running server."""

    url: str
    pid: int

    def get(self, path: str) -> bytes:
        """Return the answer of an address."""
        with urllib.request.urlopen(self.url + path, timeout=600) as answer:  # noqa: S310  (of this machine)
            content: bytes = answer.read()
            return content

    def ask(self, record: Mapping[str, Any], path: str = "/v1/documents") -> bytes:
        """Return the answer to a document."""
        with self._post(record, path) as answer:
            content: bytes = answer.read()
            return content

    def stream(self, record: Mapping[str, Any]) -> Any:
        """Return the lines about a document as they come; closing them stops its work."""
        return self._post(record, "/v1/documents/stream")

    def _post(self, record: Mapping[str, Any], path: str) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, json.dumps(record).encode(), headers)  # noqa: S310
        return urllib.request.urlopen(request, timeout=600)  # noqa: S310  (of this machine)

    def pids(self) -> list[int]:
        """Return the processes that do the work."""
        return [self.pid, *json.loads(self.get("/v1/status"))["workers"]]

    def cpu_seconds(self) -> float:
        """Return the processor time of all of them so far."""
        return sum(_cpu_seconds(pid) for pid in self.pids())

    def memory_bytes(self) -> int:
        """Return the memory of all of them that is theirs alone."""
        return sum(_private_bytes(pid) for pid in self.pids())


def measure(_: Path) -> list[dict[str, Any]]:
    """Measure one server with one worker, in passes of a window."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = folder / "run"
        ctxlab("train", *TRAINING, f"hydra.run.dir={run}")
        with _serving(run, folder) as server:
            return [_bytes(server, run, folder), _cpu(server, run), _memory(server), *_turns(server)]


@contextmanager
def _serving(run: Path, folder: Path) -> Iterator[Server]:
    out = folder / "server"
    words = ["serve", f"run={run}", "serve.port=0", f"trainer.tokens_per_forward={WINDOW}", f"hydra.run.dir={out}"]
    with subprocess.Popen([sys.executable, "-m", "ctxlab", *words], stdout=sys.stderr) as process:
        try:
            while not (out / "server.json").is_file():
                if process.poll() is not None:
                    raise RuntimeError(f"ctxlab serve ended with status {process.returncode}.")
                time.sleep(0.1)
            yield Server(json.loads((out / "server.json").read_text())["url"], process.pid)
        finally:
            process.send_signal(signal.SIGTERM)


def _bytes(server: Server, run: Path, folder: Path) -> dict[str, Any]:
    """Compare the answer for a document that is alone with the line of ``ctxlab predict`` for a file with it alone."""
    record = {"id": "a", "text": LINE * 100}
    source, target = folder / "one.jsonl", folder / "one.out"
    source.write_text(json.dumps(record) + "\n")
    same = [f"trainer.tokens_per_forward={WINDOW}", f"hydra.run.dir={folder / 'predict'}"]
    ctxlab("predict", f"run={run}", f"input={source}", f"output={target}", *same)
    served = server.ask(record).decode()
    is_same = served.startswith(f'{{"record": {target.read_text().strip()}, "coverage": ')
    return row("served record of a lone document is predict's to the byte (1: yes)", float(is_same), at_least=1.0)


def _turns(server: Server) -> list[dict[str, Any]]:
    """Send short requests and questions about health beside a long document."""
    short = {"text": " ".join((LINE * 20).split()[:150])}  # about 200 tokens
    window = _seconds(server, {"text": LINE * 21}, 9)  # about 500
    tokens = json.loads(server.ask({"text": LINE * 100}))["coverage"]["tokens"] / 100
    long = {"text": LINE * round(LONG_TOKENS / tokens)}
    ended, health = threading.Event(), list[float]()
    reading = threading.Event()
    threads = [
        threading.Thread(target=_keep_busy, args=(server, long, reading, ended), daemon=True),
        threading.Thread(target=_health, args=(server, health, ended), daemon=True),
    ]
    threads[0].start()
    reading.wait()
    threads[1].start()
    beside = _seconds(server, short, SHORT_REQUESTS)
    ended.set()
    for thread in threads:
        thread.join()
    p99, middle = float(np.percentile(beside, 99)), float(np.median(window))
    return [
        row("p99 of 200-token requests beside one of 100,000, in windows of 512", p99 / middle, at_most=2.0),
        row("… median", float(np.median(beside)) / middle),
        row("p99 of health meanwhile, ms", 1000 * float(np.percentile(health, 99)), at_most=50.0),
    ]


def _keep_busy(server: Server, long: Mapping[str, Any], reading: threading.Event, ended: threading.Event) -> None:
    """Have a document read, again and again; the connection is closed at the end, which stops its work."""
    while not ended.is_set():
        with server.stream(long) as lines:
            for _ in lines:
                reading.set()
                if ended.is_set():
                    return


def _health(server: Server, seconds: list[float], ended: threading.Event) -> None:
    while not ended.wait(HEALTH_SECONDS):
        started = time.perf_counter()
        server.get("/v2/health/ready")
        seconds.append(time.perf_counter() - started)


def _seconds(server: Server, record: Mapping[str, Any], count: int) -> list[float]:
    found = []
    for _ in range(count):
        started = time.perf_counter()
        server.ask(record)
        found.append(time.perf_counter() - started)
    return found


def _cpu(server: Server, run: Path) -> dict[str, Any]:
    """Compare processor time for the same documents; both have read some before."""
    records = [{"id": str(i), "text": LINE * REPEATS} for i in range(DOCUMENTS)]
    code = (
        "import ctxlab, json, sys, time; records = json.load(sys.stdin); run = ctxlab.load(sys.argv[1], sys.argv[2]);"
        "run.answers(records[:4]); started = time.process_time(); run.answers(records);"
        "print(time.process_time() - started)"
    )
    command = [sys.executable, "-c", code, str(run), f"trainer.tokens_per_forward={WINDOW}"]
    ratios = []
    for _ in range(2):
        done = subprocess.run(command, input=json.dumps(records), stdout=subprocess.PIPE, text=True, check=True)
        started = server.cpu_seconds()
        _send(server, records)
        ratios.append((server.cpu_seconds() - started) / float(done.stdout.split()[-1]))
    return row("processor time per document over predict's, median of 2", float(np.median(ratios)), at_most=1.05)


def _memory(server: Server) -> dict[str, Any]:
    records = [{"id": str(i), "text": LINE * (1 + i % 2)} for i in range(MANY)]
    _send(server, records[:WARM])
    before = server.memory_bytes()
    _send(server, records[WARM:])
    share = server.memory_bytes() / before - 1
    return row(f"memory after {MANY:,} documents over that after {WARM}, %", 100 * share, at_most=2.0)


def _send(server: Server, records: Sequence[Mapping[str, Any]]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(server.ask, records))


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _private_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))
