"""A stand-in for the server of Weights & Biases that keeps what it receives, and can fail in every way that we know."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BUCKET = {
    "id": "bucket", "name": "run", "displayName": "run", "description": "", "config": "{}", "sweepName": "",
    "historyLineCount": 0, "project": {"id": "p", "name": "ctxlab", "entity": {"id": "e", "name": "team"}},
}  # fmt: skip

QUOTA = {
    "error": "storage limit of your plan is reached",
    "errors": [{"message": "storage limit of your plan is reached"}],
}


class Server(ThreadingHTTPServer):
    """Answers as ``how`` says: well, hang, an HTTP status, or quota; it may change while a run is logged."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, how: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.how = how
        self.paths: list[str] = []
        self.rows: dict[int, str] = {}
        """Lines of the history, by their offset in its file."""
        self.released = threading.Event()
        self.later = ""
        """How it answers once it has received ``later_after`` requests."""
        self.later_after = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing where a client has gone."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.paths.append(self.path)
        if self.server.later and len(self.server.paths) > self.server.later_after:
            self.server.how = self.server.later
        getattr(self, f"_{self.server.how}", self._status)(body)

    do_GET = do_PUT = do_POST  # noqa: N815

    def _well(self, body: bytes) -> None:
        if self.path == "/graphql":
            self._say({"data": self._data(json.loads(body))})
            return
        if self.path.endswith("/file_stream"):
            self._keep(json.loads(body))
        self._say({"exitcode": None, "limits": {}})

    def _data(self, asked: dict[str, Any]) -> dict[str, Any]:
        name, given = asked.get("operationName"), asked.get("variables") or {}
        if name == "UpsertBucket":
            return {"upsertBucket": {"bucket": {**BUCKET, "name": given.get("name") or "run"}, "inserted": True}}
        if name == "CreateRunFiles":
            files = [{"name": one, "uploadUrl": f"{self.server.url}/upload/{one}"} for one in given["files"]]
            return {"createRunFiles": {"runID": "bucket", "uploadHeaders": [], "files": files}}
        if name == "Viewer":
            return {"viewer": {"id": "v", "entity": "team", "flags": "{}", "teams": {"edges": []}}}
        return {}

    def _keep(self, sent: dict[str, Any]) -> None:
        history = (sent.get("files") or {}).get("wandb-history.jsonl")
        if history:
            for number, line in enumerate(history["content"]):
                self.server.rows[history["offset"] + number] = line

    def _hang(self, body: bytes) -> None:
        self.server.released.wait()

    def _quota(self, body: bytes) -> None:
        """Accept the run and refuse its data."""
        if self.path == "/graphql":
            self._well(body)
        else:
            self._say(QUOTA, 403)

    def _gone(self, body: bytes) -> None:
        self.close_connection = True

    def _status(self, body: bytes) -> None:
        self._say({"error": "no", "errors": [{"message": "no"}]}, int(self.server.how))

    def _say(self, value: Any, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(how: str) -> Iterator[Server]:
    """Serve on a loopback port for the time of the block."""
    server = Server(how)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
