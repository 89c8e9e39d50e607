"""Addresses of jobs, whose answers are fetched later."""

import json
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from ctxlab.serving.front import Front, answered, said
from ctxlab.serving.jobs import described
from ctxlab.serving.keys import INFER
from ctxlab.serving.requests import body_of
from ctxlab.serving.written import written


def add(app: FastAPI, front: Front) -> None:
    """Add the addresses."""
    body = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}

    @app.post(
        "/v1/jobs", openapi_extra=body, summary="Accept a document whose answer is fetched later", status_code=202
    )
    async def post(request: Request) -> Response:
        return await answered(lambda: accept(request, front))

    @app.get("/v1/jobs/{job}", summary="How a job stands, with its answer once there is one")
    async def get(request: Request, job: str) -> Response:
        return await answered(lambda: _look(request, front, job))

    @app.delete("/v1/jobs/{job}", summary="Forget a job and its answer", status_code=204)
    async def delete(request: Request, job: str) -> Response:
        async def deleted() -> Response:
            front.jobs.delete(job, await front.access.check(request, INFER))
            return Response(status_code=204)

        return await answered(deleted)


def is_preferred(request: Request) -> bool:
    """Return whether the client would rather fetch the answer later (RFC 7240)."""
    preferred = request.headers.get("prefer", "").lower().split(",")
    return any(each.split(";")[0].strip() == "respond-async" for each in preferred)


async def accept(request: Request, front: Front) -> Response:
    """Accept a job."""
    key = await front.access.check(request, INFER)
    with front.body_room() as take:
        body = await body_of(request, front.limits, take)
        front.access.admit(key, 1, front.pool.pace.tokens(len(body)))
        identity = await front.jobs.accept(body, key)
    about = described(identity, "waiting")
    applied = {"Preference-Applied": "respond-async"} if is_preferred(request) else {}
    return said(about, 202, {"Location": about["url"], **applied})


async def _look(request: Request, front: Front, job: str) -> Response:
    key = await front.access.check(request, INFER)
    status, frame = await front.jobs.look(job, key)
    about: dict[str, Any] = described(job, status)
    if frame is None:
        return said(about, headers={"Retry-After": "1"})
    if frame.header["status"] != 200:
        return said({**about, "code": frame.header["status"], **json.loads(frame.body)})
    head = written({**about, "answer": None}).removesuffix(
        b"null}"
    )  # answers may have megabytes and are not read again
    return Response(b"".join([head, frame.body, b"}"]), media_type="application/json")
