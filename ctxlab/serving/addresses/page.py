"""The page at ``/``, to paste a text into and see it read."""

from functools import cache
from importlib.resources import files

from fastapi import FastAPI
from starlette.responses import Response

FILES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""The page loads its own two files and asks its own server, and nothing else."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def add(app: FastAPI) -> None:
    """Add the page and its files."""
    for path, (name, kind) in FILES.items():
        _add(app, path, name=name, kind=kind)


def _add(app: FastAPI, path: str, *, name: str, kind: str) -> None:
    @app.get(path, include_in_schema=False)
    async def page() -> Response:
        return Response(_content(name), media_type=kind, headers=HEADERS)


@cache
def _content(name: str) -> bytes:
    return files("ctxlab.serving").joinpath("page", name).read_bytes()
