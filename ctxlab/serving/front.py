"""What all addresses share: who may ask, how much may wait, and how a request is answered."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ctxlab.serving.access import Access
from ctxlab.serving.asked import Asked
from ctxlab.serving.frames import Frame
from ctxlab.serving.jobs import Jobs
from ctxlab.serving.metrics import Metrics
from ctxlab.serving.pool import Pool
from ctxlab.serving.refusal import Refusal
from ctxlab.serving.requests import body_of, left
from ctxlab.serving.settings import Limits
from ctxlab.serving.written import written

CLIENT_LEFT = 499
"""Status for the figures of a request whose client has left; nobody receives it."""

NO_REQUEST = "none"
"""Address of what never became a request, in figures."""

BODIES = 8
"""Bodies of the largest size that may be in memory at the same time."""


@dataclass(eq=False)
class Front:
    """The server behind its addresses."""

    pool: Pool
    access: Access
    limits: Limits
    metrics: Metrics
    jobs: Jobs
    version: str
    waiting: dict[str, int] = field(default_factory=dict)
    """Requests without an answer, by key."""
    num_bytes: int = 0
    """Bytes of the bodies of all requests that are not answered."""

    def __post_init__(self) -> None:
        """Connect the figures."""
        pool, jobs = self.pool, self.jobs
        pool.counted = self._count
        for name, text, value in (
            ("queued_requests", "Requests without an answer", lambda: pool.num_waiting),
            ("queued_tokens", "About how many tokens wait for an answer", lambda: pool.queued_tokens),
            ("tokens_per_second", "Tokens that a worker reads in a second", lambda: pool.pace.tokens_per_second),
            ("workers", "Processes that answer", lambda: pool.num_workers),
            ("desired_replicas", "Processes that would read in time what waits", lambda: pool.desired),
            ("worker_deaths", "Processes that ended unexpectedly", lambda: pool.deaths),
            ("jobs_waiting", "Jobs without an answer", lambda: jobs.num_waiting),
            ("jobs_kept", "Answers of jobs that are kept", lambda: jobs.num_kept),
        ):
            self.metrics.gauge(name, text, value)

    def _count(self, asked: Asked, frame: Frame) -> None:
        """Count an answer, and take from the quota what the document had beyond the guess."""
        found = frame.header.get("figures")
        if found is None:
            return
        self.metrics.answered(found, frame.header["waiting"])
        guessed = self.pool.pace.tokens(len(asked.body))
        tokens = frame.header["tokens_run"] or sum(sizes[0] for sizes in found["documents"])
        self.access.take(asked.key, len(found["documents"]) - 1, tokens - guessed)

    @contextmanager
    def body_room(self) -> Iterator[Callable[[int], None]]:
        """Yield what counts the bytes of a body while it arrives, until the request is answered."""
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            if self.num_bytes + size > BODIES * self.limits.max_bytes:
                raise Refusal(429, "The server has too much to read: send this later.", {"Retry-After": "5"})
            self.num_bytes += size
            taken += size

        try:
            yield take
        finally:
            self.num_bytes -= taken

    @contextmanager
    def admitted(self, key: str, num_bytes: int) -> Iterator[None]:
        """Count a request as waiting until the end of the block.

        Raises:
            Refusal: Too many are waiting, or the quota of the key is used up.
        """
        for there, most in (
            (sum(self.waiting.values()), self.limits.max_waiting),
            (self.waiting.get(key, 0) if key else 0, self.limits.max_waiting_per_key),
        ):
            if there >= most:
                raise Refusal(429, f"{there} documents are waiting already: send this later.", {"Retry-After": "1"})
        self.access.admit(key, 1, self.pool.pace.tokens(num_bytes))
        self.waiting[key] = self.waiting.get(key, 0) + 1
        try:
            yield
        finally:
            self.waiting[key] -= 1
            if not self.waiting[key]:
                del self.waiting[key]

    def refused(self, status: int) -> None:
        """Count a request that never became one."""
        self.metrics.ended(NO_REQUEST, status, 0.0)

    async def answer(self, request: Request, kind: str, scope: str) -> Response:
        """Return the answer of a worker to the body of a request.

        Args:
            request: The request.
            kind: What is asked for, see ``worker``.
            scope: What its key must allow.

        Raises:
            Refusal: The request is not taken.
            ClientDisconnect: The client has left.
        """
        started = time.monotonic()
        key = await self.access.check(request, scope)
        with self.body_room() as take:
            body = await body_of(request, self.limits, take)
            with self.admitted(key, len(body)):
                frame = await self._frame(request, self.pool.ask(kind, body, key, started))
        header = frame.header
        return Response(frame.body, header["status"], header.get("headers"), media_type="application/json")

    async def _frame(self, request: Request, asked: Asked) -> Frame:
        """Return the answer; no further pass is run if the client leaves."""
        answered = asyncio.ensure_future(asked.frames.get())
        gone = asyncio.ensure_future(left(request))
        try:
            await asyncio.wait((answered, gone), return_when=asyncio.FIRST_COMPLETED)
            if not answered.done():
                raise ClientDisconnect
            return answered.result()
        except asyncio.CancelledError:  # the server stops and waits no longer
            self.pool.cut_off += 1
            raise
        finally:
            gone.cancel()
            answered.cancel()
            self.pool.leave(asked)


async def answered(answer: Callable[[], Awaitable[Response]]) -> Response:
    """Return what ``answer`` returns, or why it does not."""
    try:
        return await answer()
    except Refusal as refusal:
        return said({"error": refusal.sentence}, refusal.status, refusal.headers)
    except ClientDisconnect:
        return Response(status_code=CLIENT_LEFT)


def said(content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer in JSON."""
    return Response(written(content), status, headers, media_type="application/json")
