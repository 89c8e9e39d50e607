"""The process: a socket, uvicorn, and what signals do."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import uvicorn

from ctxlab.core.errors import Interrupted, UserError
from ctxlab.core.signals import StopRequest
from ctxlab.serving.app import make_app
from ctxlab.serving.connection import connection
from ctxlab.serving.front import Front
from ctxlab.serving.pool import Maker

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


def url(found: socket.socket, scheme: str = "http") -> str:
    """Return the address of a socket as clients write it."""
    host, port = found.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


@dataclass(frozen=True)
class Address:
    """Where a server listens, and what it does once it answers."""

    socket: socket.socket
    ready: Callable[[], None]
    tls: ssl.SSLContext | None = None


def serve(front: Front, maker: Maker, address: Address) -> int:
    """Answer requests until a signal; then those that were accepted, and no new ones.

    Args:
        front: The server behind its addresses.
        maker: Starts workers.
        address: Where to listen.

    Returns:
        The number of the signal.

    Raises:
        UserError: The model cannot be opened.
        Interrupted: A signal came before that.
    """
    stop = StopRequest(raises_again=False)
    with stop.listening():
        asyncio.run(_serve(front, maker, address, stop))
    if stop.signal_number is None:
        raise Interrupted(2)
    return stop.signal_number


async def _serve(front: Front, maker: Maker, address: Address, stop: StopRequest) -> None:
    pool = front.pool
    try:
        if not await pool.start(maker, lambda: stop.signal_number is not None):
            raise Interrupted(stop.signal_number or 2)
        front.metrics.take_labels(pool.labels)
        front.jobs.start()
        await _Server(_config(front, address.tls), address.ready, stop).serve(sockets=[address.socket])
    finally:
        await front.jobs.stop()
        await pool.stop()


def _config(front: Front, tls: ssl.SSLContext | None) -> uvicorn.Config:
    config = uvicorn.Config(
        make_app(front),
        http=connection(front.limits, front.refused),
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=front.limits.drain_seconds,  # type: ignore[arg-type]
    )
    config.load()
    config.ssl = tls
    return config


@contextlib.contextmanager
def _timely_handshakes(loop: asyncio.AbstractEventLoop, config: uvicorn.Config) -> Iterator[None]:
    """Within the block, servers are made whose clients have as long for TLS as for a header; uvicorn cannot."""
    if config.ssl is None:
        yield
        return
    seconds = config.http_protocol_class.limits.head_seconds  # type: ignore[attr-defined]
    loop.create_server = partial(loop.create_server, ssl_handshake_timeout=seconds)  # type: ignore[method-assign]
    try:
        yield
    finally:
        del loop.create_server


class _Server(uvicorn.Server):
    """Uvicorn with the signals of ctxlab."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], stop: StopRequest) -> None:
        self._stop, self._ready = stop, ready
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        with _timely_handshakes(asyncio.get_running_loop(), self.config):
            await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the one who listens to them already."""
        yield

    @property
    def force_exit(self) -> bool:
        """Whether to wait no longer for what was accepted: after a second signal."""
        return self._stop.is_urgent

    @force_exit.setter
    def force_exit(self, value: bool) -> None:
        """Uvicorn begins with False."""

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop; called ten times a second."""
        return await super().on_tick(counter) or self._stop.signal_number is not None
