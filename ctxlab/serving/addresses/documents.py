"""Addresses that answer documents."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from ctxlab.serving.addresses import jobs
from ctxlab.serving.front import Front, answered
from ctxlab.serving.keys import INFER
from ctxlab.serving.refusal import CLOSE, Refusal
from ctxlab.serving.stream import Lines
from ctxlab.serving.worker import DOCUMENT, SEVERAL, STREAM

EXAMPLE = {"id": "a", "text": "A document of any length."}


def add(app: FastAPI, front: Front) -> None:
    """Add the addresses."""

    @app.post("/v1/documents", openapi_extra=described(), summary="Answer one document of any length")
    async def documents(request: Request) -> Response:
        """Answer one record, as a line of the file that ``ctxlab predict`` reads."""
        if jobs.is_preferred(request):
            return await answered(lambda: jobs.accept(request, front))
        return await answered(lambda: front.answer(request, DOCUMENT, INFER))

    @app.post("/v1/documents/stream", openapi_extra=described(), summary="The same, with a line for each window")
    async def stream(request: Request) -> Response:
        return await answered(lambda: Lines.of(request, front, STREAM))

    @app.post("/v2/models/{model}/infer", openapi_extra=described(), summary="Answer several documents")
    async def infer(request: Request, model: str) -> Response:
        """Answer a tensor of documents of the Open Inference Protocol."""

        async def answer() -> Response:
            await front.access.check(request, INFER)
            check_name(model, front)
            return await front.answer(request, SEVERAL, INFER)

        return await answered(answer)


def check_name(model: str, front: Front) -> None:
    """Check that a model is the one that is served.

    Raises:
        Refusal: It is not.
    """
    if model != front.pool.served["run"]:
        raise Refusal(404, "There is no such model: GET /v1/model names the one that is served.", CLOSE)


def described(example: Mapping[str, str] = EXAMPLE) -> dict[str, Any]:
    """Return what /openapi.json says about a body, of which an example is given."""
    content = {"application/json": {"schema": {"type": "object"}, "example": example}}
    statuses = {
        "400": "Not JSON",
        "401": "No valid key",
        "403": "The key does not allow this",
        "408": "Too slow",
        "413": "Too large",
        "415": "Not JSON by its type",
        "422": "Not a record that the task reads",
        "429": "Too many documents are waiting, or the quota is used up",
    }
    return {
        "requestBody": {"required": True, "content": content},
        "responses": {status: {"description": text} for status, text in statuses.items()},
    }
