"""Whether personal data leaks: across the borders of windows, and from a server that gets a thousand requests."""

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ctxlab
from ctxlab.core.data import Record
from ctxlab.privacy.patterns import Patterns
from ctxlab.privacy.replacing.records import protected
from scripts.bench.timing import row
from tests.privacy.invented import document

REQUESTS, WINDOW = 1_000, 32
BROKEN = 10
"""Each so many requests one is not valid."""


def across_windows(run: Path) -> Iterator[dict[str, Any]]:
    """Count data that lies across the border of two windows of the original, and what of it the model would read."""
    bench = ctxlab.load(str(run), f"context={WINDOW}")._bench
    crossing = left = 0
    for seed in range(2_000, 2_040):
        text, planted = document(seed)
        answerer = bench.answerer()
        (encoded,) = answerer.encode(answerer.documents([Record({"id": "a", "text": text}, "a")]))
        windows = answerer.reader.strategy.reading.windows(encoded, WINDOW)
        firsts = {int(one.token_index[one.token_index >= 0][0]) for one in windows[1:]}
        borders = {int(encoded.starts[first]) for first in firsts}
        (read,) = protected([Record({"id": "a", "text": text}, "a")], Patterns("tag"))
        for _, start, end in planted:
            if any(start < border < end for border in borders):
                crossing += 1
                left += text[start:end] in read.fields["text"]
    what = f"privacy=patterns: recall of what lies across the border of two windows, of {crossing:,}"
    yield row(what, 1 - left / max(crossing, 1), at_least=1.0)


def canaries(run: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Send requests with personal data to a server, one in ten of them broken, and search all that it leaves for it."""
    folder.mkdir()
    out, log = folder / "run", folder / "screen.log"
    words = ["serve", f"run={run}", "serve.port=0", "privacy=patterns", "tracking=none", f"hydra.run.dir={out}"]
    sent: list[str] = []
    answers: list[bytes] = []
    with (
        log.open("wb") as screen,
        subprocess.Popen([sys.executable, "-m", "ctxlab", *words], stdout=screen, stderr=subprocess.STDOUT) as process,
    ):
        try:
            while not (out / "server.json").is_file():
                if process.poll() is not None:
                    raise RuntimeError(f"ctxlab serve ended with status {process.returncode}.")
                time.sleep(0.1)
            url = json.loads((out / "server.json").read_text())["url"]
            for number in range(REQUESTS):
                text, planted = document(10_000 + number, count=1)
                sent += [text[start:end] for _, start, end in planted]
                body = json.dumps({"id": sent[-1], "text": text}).encode()
                answers.append(_asked(url, body[:-2] if number % BROKEN == 0 else body))
            with urllib.request.urlopen(f"{url}/metrics", timeout=60) as metrics:  # noqa: S310  (of this machine)
                answers.append(metrics.read())
        finally:
            process.send_signal(signal.SIGTERM)
    left = b"\n".join([*answers, *(path.read_bytes() for path in folder.rglob("*") if path.is_file())])
    hit = sum(json.dumps(one)[1:-1].encode() in left or one.encode() in left for one in sent)
    what = f"canaries of {REQUESTS:,} requests in answers, errors, metrics and files of a server ({len(left):,} bytes)"
    yield row(what, float(hit), at_most=0)


def _asked(url: str, body: bytes) -> bytes:
    request = urllib.request.Request(f"{url}/v1/documents", body, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  (of this machine)
            content: bytes = answer.read()
    except urllib.error.HTTPError as error:
        content = error.read()
    return content
