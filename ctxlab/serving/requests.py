"""Reading a request within the limits."""

import asyncio
import re
from collections.abc import Callable

from starlette.requests import Request

from ctxlab.serving.refusal import CLOSE, Refusal
from ctxlab.serving.settings import Limits

JSON = re.compile(r'application/json\s*(;\s*charset="?utf-8"?\s*)?', re.IGNORECASE)
"""Content types of a body; a browser sends none of these to another site unasked."""

PATIENCE = 2
"""A body of up to this many times the limit is read to its end and dropped: most clients hear no answer before that."""


async def body_of(request: Request, limits: Limits, take: Callable[[int], None]) -> bytes:
    """Return the body of a request.

    Args:
        request: The request.
        limits: What is allowed.
        take: Called with the bytes of each part; raises Refusal if they are too many for the server.

    Raises:
        Refusal: It is of another type, larger than the limit, or not there in time.
        ClientDisconnect: The client has left.
    """
    if not JSON.fullmatch(request.headers.get("content-type", "").strip()):
        raise Refusal(415, "The body must be JSON: send the header Content-Type: application/json.", CLOSE)
    given = request.headers.get("content-length", "0")
    if given.isdecimal() and int(given[:20]) > PATIENCE * limits.max_bytes:
        raise _too_large(limits)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for part in request.stream():
                size += len(part)
                if size <= limits.max_bytes:
                    take(len(part))
                    parts.append(part)
                elif size > PATIENCE * limits.max_bytes:
                    break
                else:
                    parts.clear()
    except TimeoutError:
        if size <= limits.max_bytes:
            late = f"The body was not there after {limits.body_seconds:g} seconds: send it again."
            raise Refusal(408, late, CLOSE) from None
    if size > limits.max_bytes:
        raise _too_large(limits)
    return b"".join(parts)


def _too_large(limits: Limits) -> Refusal:
    sentence = f"The body is larger than {limits.max_bytes:,} bytes: the server allows more with serve.max_bytes=."
    return Refusal(413, sentence, CLOSE)


async def left(request: Request) -> None:
    """Return once the client has left; its body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
