"""An answer that consists of lines, sent as they come."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack, suppress
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ctxlab.serving.asked import Asked
from ctxlab.serving.front import Front
from ctxlab.serving.keys import INFER
from ctxlab.serving.requests import body_of

KIND = "application/x-ndjson"

SEND_SECONDS = 30.0
"""Seconds in which a client must take a line."""


class Lines(Response):
    """Lines of JSON: one for each window of a document, and the answer."""

    def __init__(self, front: Front, asked: Asked, held: AsyncExitStack) -> None:
        """Store what is answered.

        Args:
            front: The server.
            asked: The request.
            held: What is given back at the end.
        """
        super().__init__(media_type=KIND)
        del self.headers["content-length"]
        self._front, self._asked, self._held = front, asked, held

    @classmethod
    async def of(cls, request: Request, front: Front, kind: str) -> "Lines":
        """Return the answer to a request.

        Raises:
            Refusal: The request is not taken.
        """
        started = time.monotonic()
        key = await front.access.check(request, INFER)
        async with AsyncExitStack() as stack:
            body = await body_of(request, front.limits, stack.enter_context(front.body_room()))
            stack.enter_context(front.admitted(key, len(body)))
            return cls(front, front.pool.ask(kind, body, key, started), stack.pop_all())

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Send lines until the last one, or until the client has left."""
        async with self._held:
            sending = asyncio.ensure_future(self._send(send))
            gone = asyncio.ensure_future(_left(receive))
            try:
                await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:  # the server stops and waits no longer
                self._front.pool.cut_off += 1
                raise
            finally:
                for task in (sending, gone):
                    task.cancel()
                with suppress(asyncio.CancelledError, ClientDisconnect):
                    await sending
                self._front.pool.leave(self._asked)

    async def _send(self, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        is_last = False
        while not is_last:
            frame = await self._asked.frames.get()
            is_last = frame.header["what"] == "answer"
            part = {"type": "http.response.body", "body": frame.body + b"\n", "more_body": not is_last}
            try:
                await asyncio.wait_for(send(part), SEND_SECONDS)
            except TimeoutError:
                raise ClientDisconnect from None


async def _left(receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
