"""Fuzzed bodies for a running server; the tests of ``ctxlab serve`` send some of them, or ten thousand."""

import http.client
import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.faults import fuzzing

CANARY = "Canary7f3a"
PATHS = ("/v1/documents", "/v1/documents", "/v1/documents/stream", "/v2/models/run/infer")
VALUES = (
    "NaN", "1e999", "-Infinity", "1" * 5000, '"\\ud800"', '"\\u0000"', "[]", "{}", "null", "true", "-0.0", '""',
    "1e308",
    "[" * 300 + "]" * 300, '{"a":' * 300 + "1" + "}" * 300, f'"{CANARY}"', f'["{CANARY}", 1, null]',
)  # fmt: skip


def bodies(count, seed):
    """Address and body of each request: damaged records of every format, and records with values of other types."""
    draw = random.Random(seed)
    seeds = [one for one in fuzzing.seeds() if one.rows and len(one.content) < 20_000]
    fields = sorted({field for one in seeds for row in one.rows if isinstance(row, dict) for field in row})
    for _ in range(count):
        path = draw.choice(PATHS)
        kind = draw.random()
        if kind < 0.5:
            content = fuzzing.damaged(draw.choice(seeds), draw)[1]
            body = draw.choice(content.splitlines() or [b""]) if draw.random() < 0.7 else content
        elif kind < 0.6:
            body = bytes(draw.randrange(256) for _ in range(draw.randrange(60)))
        else:
            chosen = draw.sample(fields, draw.randrange(1, 5))
            pairs = ", ".join(f'"{name}": {draw.choice(VALUES)}' for name in chosen)
            body = f"{{{pairs}}}".encode()
        if path.endswith("infer") and draw.random() < 0.8:
            text = body.decode("utf-8", "replace")
            tensor = {"name": "documents", "shape": [1], "datatype": "BYTES", "data": [text]}
            body = json.dumps({"inputs": [tensor]}).encode()
        yield path, body.replace(b"Lund", CANARY.encode())


def fuzz(port, count, seed, threads=4):
    """Return how many requests had each status, after checking each answer."""
    with ThreadPoolExecutor(threads) as pool:
        each = [list(bodies(count // threads, seed * threads + i)) for i in range(threads)]
        return sum(pool.map(lambda some: _send(port, some), each), Counter())


def _send(port, requests):
    statuses = Counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for path, body in requests:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        last = json.loads(text.splitlines()[-1])
        assert answer.status < 500, (path, body, text)
        if "error" in last:
            assert CANARY not in last["error"], (path, body, text)
            assert list(last) == ["error"]
        statuses[answer.status if "error" not in last or answer.status != 200 else "error in a stream"] += 1
    connection.close()
    return statuses
