"""The address that says why a document has its answer."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from ctxlab.serving.addresses.documents import described
from ctxlab.serving.front import Front, answered
from ctxlab.serving.keys import EXPLAIN as SCOPE
from ctxlab.serving.why import EXPLAINED, EXPLANATION
from ctxlab.serving.worker import EXPLAIN

EXAMPLE = {"id": "a", "text": "A document of any length.", EXPLANATION: "gradient", EXPLAINED: "label spam"}


def add(app: FastAPI, front: Front) -> None:
    """Add the address."""

    @app.post("/v1/explain", openapi_extra=described(EXAMPLE), summary="Say which words an answer depends on")
    async def explain(request: Request) -> Response:
        """Explain one record, as a line that ``ctxlab explain`` writes."""
        return await answered(lambda: front.answer(request, EXPLAIN, SCOPE))
