"""Connections: uvicorn's own, with the limits that it lacks.

It waits for a first request for ever, takes headers of any size, and with ``--limit-concurrency`` counts idle
connections and refuses everybody, questions about health included.
"""

from asyncio import TimerHandle, Transport
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ctxlab.serving.settings import Limits
from ctxlab.serving.written import written

CROWDED = "ctxlab.crowded"
"""In the state of a request: whether its connection is above the limit, so that it may ask for health only."""

SPARE = 64
"""Connections above the limit, kept for questions about health."""

SPARE_SECONDS = 2.0
"""Seconds that one of these has to say what it wants."""

MAX_HEAD_BYTES = 1 << 16
"""Bytes of the header of a request."""

PHRASES = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


class Connection(HttpToolsProtocol):
    """A connection."""

    limits: Limits
    refused: Callable[[int], None]
    """Called with the status of a request that never became one."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin to wait for a header; far too many connections are closed."""
        super().connection_made(transport)
        self._timer: TimerHandle | None = None
        self._head_bytes = 0
        self._in_head = False
        surplus = len(self.connections) - self.limits.max_connections
        self.app_state = {**self.app_state, CROWDED: surplus > 0}
        if surplus > SPARE:
            transport.abort()
            return
        seconds = SPARE_SECONDS if surplus > 0 else self.limits.head_seconds
        self._timer = self.loop.call_later(min(seconds, self.limits.head_seconds), self._late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; a header may have a number of them only."""
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(431, f"The header of the request is larger than {MAX_HEAD_BYTES:,} bytes.")

    def on_message_begin(self) -> None:
        """Begin the header of a request."""
        super().on_message_begin()
        self._in_head = True
        if self._timer is None:
            self._timer = self.loop.call_later(self.limits.head_seconds, self._late)

    def on_headers_complete(self) -> None:
        """End the header of a request."""
        self._stop_timer()
        self._in_head, self._head_bytes = False, 0
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP in our own form."""
        del msg
        self._refuse(400, "The request is not HTTP/1.1.")

    def _late(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            return  # a further request on a connection that is being answered
        if self._in_head:
            self._refuse(408, f"The header of the request was not there after {self.limits.head_seconds:g} seconds.")
        else:
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: int, sentence: str) -> None:
        """Answer without a request, and close."""
        self.refused(status)
        body = written({"error": sentence})
        head = [
            b"HTTP/1.1 %d %s" % (status, PHRASES[status]),
            b"content-type: application/json",
            b"content-length: %d" % len(body),
            b"connection: close",
        ]
        self.transport.write(b"\r\n".join([*head, b"", body]))
        self.transport.close()


def connection(limits: Limits, refused: Callable[[int], None]) -> type[Connection]:
    """Return the class of connections with these limits."""
    return type("LimitedConnection", (Connection,), {"limits": limits, "refused": staticmethod(refused)})
