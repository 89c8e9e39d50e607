"""The addresses of the server and their answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ctxlab.evaluation.answerer import Answer
from ctxlab.serving import protocol
from ctxlab.serving.body import parse
from ctxlab.serving.refusal import Refusal
from ctxlab.serving.requests import answers_of, body_of
from ctxlab.serving.scheduler import Scheduler, Ticket, written
from ctxlab.serving.settings import Limits, Served

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Callable[..., Awaitable[Any]], Callable[..., Awaitable[None]]], Awaitable[None]]

CLIENT_LEFT = 499
"""Status for the log of a request whose client has left; nobody receives it."""

OTHERWISE = {
    404: "There is no such address: POST /v1/documents answers a document, GET /openapi.json lists the others.",
    405: "This address does not take that method: GET /openapi.json lists which it takes.",
}

EXAMPLE = {"id": "a", "text": "A document of any length."}


def make_app(scheduler: Scheduler, served: Served, limits: Limits, version: str) -> Application:
    """Return the application, as a server of ASGI calls it.

    Args:
        scheduler: Answers records; started by the caller.
        served: The model.
        limits: What a client may ask for.
        version: Version of ctxlab.
    """
    app = FastAPI(title="ctxlab", version=version, docs_url=None, redoc_url=None)  # these pages load from elsewhere
    for kind in (HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _otherwise)
    _add_health(app, served, version)

    @app.post("/v1/documents", openapi_extra=_described(), summary="Answer one document of any length")
    async def documents(request: Request) -> Response:
        """Answer one record, as a line of the file that ``ctxlab predict`` reads."""
        started = time.monotonic()

        async def answered() -> dict[str, Any]:
            body = await body_of(request, limits)
            tickets = scheduler.submit([await asyncio.to_thread(parse, body)], len(body))
            (found,) = await answers_of(request, scheduler, tickets)
            return {**_said(found), "model": served.plain(), "timing": _timing(started, tickets)}

        return await _answer(answered)

    @app.post("/v2/models/{model}/infer", openapi_extra=_described(), summary="Answer several documents")
    async def infer(request: Request, model: str) -> Response:
        """Answer a tensor of documents of the Open Inference Protocol."""

        async def answered() -> dict[str, Any]:
            _check_name(model, served)
            body = await body_of(request, limits)
            asked = await asyncio.to_thread(parse, body)
            found = await asyncio.to_thread(protocol.records, asked)
            tickets = scheduler.submit(found, len(body) // len(found))
            answers = [written(_said(each)) for each in await answers_of(request, scheduler, tickets)]
            return protocol.answer(served.run, served.checkpoint, asked, answers)

        return await _answer(answered)

    return _with_host(app)


async def _answer(answered: Callable[[], Awaitable[dict[str, Any]]]) -> Response:
    """Return what ``answered`` returns, or why it does not."""
    try:
        return _json(await answered())
    except Refusal as refusal:
        return _json({"error": refusal.sentence}, refusal.status, refusal.headers)
    except ClientDisconnect:
        return Response(status_code=CLIENT_LEFT)


def _timing(started: float, tickets: list[Ticket]) -> dict[str, float]:
    """Return the seconds since the request began, and those that its first document waited for a pass."""
    waiting = max(tickets[0].began - tickets[0].accepted, 0.0)
    return {"seconds": time.monotonic() - started, "waiting_seconds": waiting}


def _check_name(model: str, served: Served) -> None:
    if model != served.run:
        raise Refusal(404, "There is no such model: GET /v1/model names the one that is served.")


def _said(found: list[Answer]) -> dict[str, Any]:
    """Return record and coverage; where a record has several questions, these for each of them."""
    each = [{"record": answer.record, "coverage": answer.coverage.plain()} for answer in found]
    return each[0] if len(each) == 1 else {"answers": each}


def _add_health(app: FastAPI, served: Served, version: str) -> None:
    """Add the addresses that need no model, of the Open Inference Protocol, version 2."""

    @app.get("/v2", summary="What this server is")
    async def server() -> Response:
        return _json({"name": "ctxlab", "version": version, "extensions": []})

    @app.get("/v2/health/live", summary="Whether the process answers")
    async def live() -> Response:
        return _json({"live": True})

    @app.get("/v2/health/ready", summary="Whether documents are answered")
    async def ready() -> Response:
        return _json({"ready": True, "live": True})  # the text of the protocol calls it live too

    @app.get("/v2/models/{model}", summary="What is served")
    async def model(model: str) -> Response:
        async def answered() -> dict[str, Any]:
            _check_name(model, served)
            return {
                "name": served.run,
                "versions": [served.checkpoint],
                "platform": "ctxlab",
                "inputs": [{"name": protocol.INPUT, "datatype": protocol.BYTES, "shape": [-1]}],
                "outputs": [{"name": protocol.OUTPUT, "datatype": protocol.BYTES, "shape": [-1]}],
            }

        return await _answer(answered)

    @app.get("/v2/models/{model}/ready", summary="Whether it answers documents")
    async def model_ready(model: str) -> Response:
        async def answered() -> dict[str, Any]:
            _check_name(model, served)
            return {"name": served.run, "ready": True}

        return await _answer(answered)

    @app.get("/v1/model", summary="The run, its checkpoint, task, strategy and context length")
    async def described() -> Response:
        return _json(served.plain())


def _json(content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(written(content), status, headers, media_type="application/json")


async def _otherwise(request: Request, error: Exception) -> Response:
    """Answer what the framework refuses, in our own words: its own would contain the request."""
    del request
    status = error.status_code if isinstance(error, HTTPException) else 400
    headers = error.headers if isinstance(error, HTTPException) else None
    return _json({"error": OTHERWISE.get(status, "The request cannot be answered.")}, status, headers)


def _with_host(app: Application) -> Application:
    """Refuse requests of HTTP 1.1 without exactly one Host, as the protocol demands."""

    async def call(scope: Scope, receive: Callable[..., Awaitable[Any]], send: Callable[..., Awaitable[None]]) -> None:
        if scope["type"] == "http" and scope["http_version"] == "1.1":
            hosts = sum(name == b"host" for name, _ in scope["headers"])
            if hosts != 1:
                refused = _json({"error": "The request needs exactly one Host header."}, 400, {"Connection": "close"})
                await refused(scope, receive, send)
                return
        await app(scope, receive, send)

    return call


def _described() -> dict[str, Any]:
    """Return what /openapi.json says about the body."""
    content = {"application/json": {"schema": {"type": "object"}, "example": EXAMPLE}}
    statuses = {
        "400": "Not JSON",
        "408": "Too slow",
        "413": "Too large",
        "415": "Not JSON by its type",
        "422": "Not a record that the task reads",
        "429": "Too many documents are waiting",
    }
    return {
        "requestBody": {"required": True, "content": content},
        "responses": {status: {"description": text} for status, text in statuses.items()},
    }
