"""Addresses that need no model and no key: whether the server is there. They are answered outside of every limit."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from ctxlab.serving import protocol
from ctxlab.serving.addresses.documents import check_name
from ctxlab.serving.front import Front, answered, said
from ctxlab.serving.keys import ADMIN, INFER, METRICS
from ctxlab.serving.metrics import CONTENT_TYPE

PATHS = ("/v2/health/live", "/v2/health/ready")
"""Addresses that are answered whatever the number of connections."""


def add(app: FastAPI, front: Front) -> None:
    """Add the addresses of the Open Inference Protocol, version 2, and our own about the server."""

    @app.get("/v2", summary="What this server is")
    async def server() -> Response:
        return said({"name": "ctxlab", "version": front.version, "extensions": []})

    @app.get("/v2/health/live", summary="Whether the process answers")
    async def live() -> Response:
        return said({"live": True})

    @app.get("/v2/health/ready", summary="Whether documents are answered")
    async def ready() -> Response:
        is_ready = front.pool.num_workers > 0
        return said({"ready": is_ready, "live": is_ready}, 200 if is_ready else 503)  # the text calls it live too

    @app.get("/v2/models/{model}", summary="What is served")
    async def model(request: Request, model: str) -> Response:
        async def answer() -> Response:
            await front.access.check(request, INFER)
            check_name(model, front)
            documents = {"name": protocol.INPUT, "datatype": protocol.BYTES, "shape": [-1]}
            served = front.pool.served
            about = {"name": served["run"], "versions": [served["checkpoint"]], "platform": "ctxlab"}
            return said({**about, "inputs": [documents], "outputs": [{**documents, "name": protocol.OUTPUT}]})

        return await answered(answer)

    @app.get("/v2/models/{model}/ready", summary="Whether it answers documents")
    async def model_ready(model: str) -> Response:
        async def answer() -> Response:
            check_name(model, front)
            return said({"name": front.pool.served["run"], "ready": front.pool.num_workers > 0})

        return await answered(answer)

    @app.get("/v1/model", summary="The run, its checkpoint, task, strategy and context length")
    async def described(request: Request) -> Response:
        async def answer() -> Response:
            await front.access.check(request, INFER)
            return said(front.pool.served)

        return await answered(answer)

    @app.get("/metrics", summary="Figures for Prometheus")
    async def metrics(request: Request) -> Response:
        async def answer() -> Response:
            await front.access.check(request, METRICS)
            return Response(front.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

        return await answered(answer)

    @app.get("/v1/status", summary="Workers, what waits, and how many workers it would take")
    async def status(request: Request) -> Response:
        async def answer() -> Response:
            await front.access.check(request, ADMIN)
            return said(_status(front))

        return await answered(answer)


def _status(front: Front) -> dict[str, object]:
    pool = front.pool
    return {
        "workers": pool.pids,
        "desired_replicas": pool.desired,
        "waiting": pool.num_waiting,
        "queued_tokens": round(pool.queued_tokens),
        "tokens_per_second": round(pool.pace.tokens_per_second, 1),
        "jobs": {"waiting": front.jobs.num_waiting, "kept": front.jobs.num_kept},
        "answered": pool.answered,
    }
