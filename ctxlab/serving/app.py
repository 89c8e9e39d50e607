"""The application: all addresses in one place, and what every request goes through."""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ctxlab.serving.addresses import documents, explanations, health, jobs, page
from ctxlab.serving.connection import CROWDED
from ctxlab.serving.front import CLIENT_LEFT, Front, said

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

OTHERWISE = {
    404: "There is no such address: POST /v1/documents answers a document, GET /openapi.json lists the others.",
    405: "This address does not take that method: GET /openapi.json lists which it takes.",
}

OTHER = "other"
"""Address of requests to none of the server's own, in figures."""


def make_app(front: Front) -> Application:
    """Return the application, as a server of ASGI calls it."""
    app = FastAPI(title="ctxlab", version=front.version, docs_url=None, redoc_url=None, redirect_slashes=False)
    for kind in (HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, _otherwise)
    health.add(app, front)
    documents.add(app, front)
    explanations.add(app, front)
    jobs.add(app, front)
    page.add(app)
    return _counted(_checked(app), front)


async def _otherwise(request: Request, error: Exception) -> Response:
    """Answer what the framework refuses, in our own words: its own would contain the request."""
    del request
    is_refusal = isinstance(error, HTTPException)
    status = error.status_code if isinstance(error, HTTPException) else 400
    if not is_refusal and not isinstance(error, RequestValidationError):
        return said({"error": "The server could not answer: the fault is not in the request."}, 500)
    headers = error.headers if isinstance(error, HTTPException) else None
    return said({"error": OTHERWISE.get(status, "The request cannot be answered.")}, status, headers)


def _checked(app: Application) -> Application:
    """Refuse requests of HTTP 1.1 without exactly one Host, and those on a surplus connection."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        refused: Response | None = None
        if scope["type"] == "http":
            hosts = sum(name == b"host" for name, _ in scope["headers"])
            if scope["http_version"] == "1.1" and hosts != 1:
                refused = said({"error": "The request needs exactly one Host header."}, 400, {"Connection": "close"})
            elif scope.get("state", {}).get(CROWDED) and scope["path"] not in health.PATHS:
                headers = {"Retry-After": "1", "Connection": "close"}
                refused = said({"error": "The server has too many connections: send this later."}, 429, headers)
        await (refused or app)(scope, receive, send)

    return call


def _counted(app: Application, front: Front) -> Application:
    """Count requests by the server's own addresses and statuses."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        started, status = time.monotonic(), CLIENT_LEFT

        async def noted(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await app(scope, receive, noted)
        finally:
            route = scope.get("route")
            front.metrics.ended(getattr(route, "path", OTHER), status, time.monotonic() - started)

    return call
