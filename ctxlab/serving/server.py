"""The process: a socket, uvicorn, and what signals do."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn

from ctxlab.core.errors import Interrupted, UserError
from ctxlab.core.signals import StopRequest
from ctxlab.serving.app import Application

KEEP_ALIVE_SECONDS = 5
"""Seconds that a connection stays open between requests."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket at this address; nobody is answered before it listens.

    Raises:
        UserError: The address is in use, or is not one of this machine.
    """
    try:
        family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, number)
    except OSError as error:
        raise UserError(f"serve.host={host} is not an address of this machine ({error.strerror or error}).") from None
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(address)
    except OSError as error:
        found.close()
        reason = (error.strerror or str(error)).lower()
        raise UserError(
            f"serve.port={port} of {host} cannot be used ({reason}): give another one, or serve.port=0 for any."
        ) from None
    return found


def url(found: socket.socket) -> str:
    """Return the address of a socket as clients write it."""
    host, port = found.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(app: Application, found: socket.socket, drain_seconds: float, ready: Callable[[], None]) -> int:
    """Answer requests until a signal; then those that were accepted, and no new ones.

    Args:
        app: The application.
        found: Its socket.
        drain_seconds: Seconds in which they are answered; a second signal does not wait.
        ready: Called once requests are answered.

    Returns:
        The number of the signal.
    """
    config = uvicorn.Config(
        app,
        http="httptools",
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=drain_seconds,  # type: ignore[arg-type]
    )
    server = _Server(config, ready)
    asyncio.run(server.serve(sockets=[found]))
    if server.stop.signal_number is None:
        raise Interrupted(2)
    return server.stop.signal_number


class _Server(uvicorn.Server):
    """Uvicorn with the signals of ctxlab."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.stop, self._ready = StopRequest(), ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Note signals, the second of which raises at once."""
        with self.stop.listening():
            yield

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop; called ten times a second."""
        return await super().on_tick(counter) or self.stop.signal_number is not None
