"""Reading a request within the limits, and waiting for its answer as long as the client does."""

import asyncio
import re
from collections.abc import Sequence

from starlette.requests import ClientDisconnect, Request

from ctxlab.evaluation.answerer import Answer
from ctxlab.serving.refusal import Refusal
from ctxlab.serving.scheduler import Scheduler, Ticket
from ctxlab.serving.settings import Limits

JSON = re.compile(r'application/json\s*(;\s*charset="?utf-8"?\s*)?', re.IGNORECASE)
"""Content types of a body; a browser sends none of these to another site unasked."""

PATIENCE = 2
"""A body of up to this many times the limit is read to its end and dropped: most clients hear no answer before that."""

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
    if given.isdecimal() and int(given[:20]) > PATIENCE * limits.max_bytes:
        raise _too_large(limits)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for part in request.stream():
                size += len(part)
                if size <= limits.max_bytes:
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


async def answers_of(request: Request, scheduler: Scheduler, tickets: Sequence[Ticket]) -> list[list[Answer]]:
    """Return the answers to each record; if the client leaves, no further pass is run for them.

    Raises:
        Refusal: One of the records cannot be answered.
        ClientDisconnect: The client has left.
    """
    answered = asyncio.gather(*(asyncio.wrap_future(ticket.done) for ticket in tickets))
    left = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((answered, left), return_when=asyncio.FIRST_COMPLETED)
        if not answered.done():
            raise ClientDisconnect
        return answered.result()
    except asyncio.CancelledError:  # the server stops and waits no longer
        scheduler.cut_off += len(tickets)
        raise
    finally:
        left.cancel()
        for ticket in tickets:
            scheduler.leave(ticket)
        answered.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
