"""Reading a request within the limits, and waiting for its answer as long as the client does."""

import asyncio
import re

from starlette.requests import ClientDisconnect, Request

from ctxlab.evaluation.answerer import Answer
from ctxlab.serving.refusal import Refusal
from ctxlab.serving.scheduler import Scheduler, Ticket
from ctxlab.serving.settings import Limits

JSON = re.compile(r'application/json\s*(;\s*charset="?utf-8"?\s*)?', re.IGNORECASE)
"""Content types of a body; a browser sends none of these to another site unasked."""

CLOSE = {"Connection": "close"}
"""Header of an answer to a request whose body was not read to its end."""


async def body_of(request: Request, limits: Limits) -> bytes:
    """Return the body of a request.

    Raises:
        Refusal: It is of another type, larger than the limit, or not there in time.
        ClientDisconnect: The client has left.
    """
    if not JSON.fullmatch(request.headers.get("content-type", "").strip()):
        raise Refusal(415, "The body must be JSON: send the header Content-Type: application/json.", CLOSE)
    given = request.headers.get("content-length", "0")
    too_large = Refusal(
        413, f"The body is larger than {limits.max_bytes:,} bytes: the server allows more with serve.max_bytes=.", CLOSE
    )
    if given.isdecimal() and int(given[:20]) > limits.max_bytes:
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for part in request.stream():
                size += len(part)
                if size > limits.max_bytes:
                    raise too_large
                parts.append(part)
    except TimeoutError:
        raise Refusal(
            408, f"The body was not there after {limits.body_seconds:g} seconds: send it again.", CLOSE
        ) from None
    return b"".join(parts)


async def answers_of(request: Request, scheduler: Scheduler, ticket: Ticket) -> list[Answer]:
    """Return the answers to a record; if the client leaves, no further pass is run for it.

    Raises:
        Refusal: The record cannot be answered.
        ClientDisconnect: The client has left.
    """
    answered = asyncio.wrap_future(ticket.done)
    left = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((answered, left), return_when=asyncio.FIRST_COMPLETED)
        if not answered.done():
            raise ClientDisconnect
        return answered.result()
    finally:
        left.cancel()
        if not ticket.done.done():
            scheduler.leave(ticket)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
