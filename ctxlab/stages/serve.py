"""``ctxlab serve run=…``: a server that answers documents of any length as ``ctxlab predict`` does."""

import importlib
import logging
import socket
from collections.abc import Callable
from pathlib import Path

from ctxlab.config.schema import ServeOptions
from ctxlab.core.errors import Interrupted, UserError
from ctxlab.core.files import write_json
from ctxlab.core.folders import sha256
from ctxlab.data.splits import Splits
from ctxlab.serving.settings import Limits, Served
from ctxlab.tracking.console import console, say
from ctxlab.workbench.opening import Opened, open_bench
from ctxlab.workbench.parts import Parts

WEB = ("fastapi", "uvicorn", "httptools")
"""Libraries of the extra."""

ADDRESS = "server.json"
"""File in the run directory with the address."""

LOOPBACK = ("127.", "::1", "localhost")

QUIET = ("uvicorn.error", "asyncio")


def run(parts: Parts) -> None:
    """Answer documents until a signal."""
    _check_extra()
    if parts.trainer.processes > 1:
        raise UserError(f"trainer.processes={parts.trainer.processes}: ctxlab serve uses one process; leave it out.")
    from ctxlab.serving.server import listen, url  # needs the extra

    options: ServeOptions = parts.options
    found = listen(options.serve.host, options.serve.port)
    with found:
        opened = open_bench(parts, lambda _: Splits(train=[], validation=[], test=[]))
        screen = console()
        if not options.serve.host.startswith(LOOPBACK):
            say(screen, f"note: serve.host={options.serve.host}: whoever reaches this address may use the model.")
        address = url(found)

        def ready() -> None:
            write_json(parts.origin.run_dir / ADDRESS, {"url": address})
            say(screen, f"Serving on {address}; stop with Ctrl-C or SIGTERM.")

        _serve(parts, opened, found, ready)


def _serve(parts: Parts, opened: Opened, found: socket.socket, ready: Callable[[], None]) -> None:
    from importlib.metadata import version

    from ctxlab.serving.app import make_app
    from ctxlab.serving.scheduler import Scheduler
    from ctxlab.serving.server import serve

    given = parts.options.serve
    limits = Limits(
        max_bytes=given.max_bytes,
        max_waiting=given.max_waiting,
        body_seconds=given.body_seconds,
        drain_seconds=given.drain_seconds,
    )
    for name in QUIET:  # what they have to say is about connections
        logging.getLogger(name).setLevel(logging.CRITICAL)
    scheduler = Scheduler(opened.bench.answerer(), opened.bench.tokenizer, limits.max_waiting)
    app = make_app(scheduler, _served(parts, opened), limits, version("ctxlab"))
    scheduler.start()
    try:
        number = serve(app, found, limits.drain_seconds, ready)
    finally:
        scheduler.close()
    lost, answered = scheduler.cut_off, scheduler.answered
    if lost:
        raise Interrupted(
            number,
            f"Stopped: {answered:,} documents were answered, {lost:,} were cut off after "
            f"serve.drain_seconds={limits.drain_seconds:g}.",
        )
    say(console(), f"Stopped: {answered:,} documents were answered, none is lost.")


def _served(parts: Parts, opened: Opened) -> Served:
    folder = opened.checkpoint
    return Served(
        run=parts.start.folder.name if parts.start else Path(opened.origin).name,
        checkpoint=folder.name if folder else "",
        sha256=sha256(folder / "model.safetensors") if folder else "",
        task=opened.bench.task.name,
        strategy=opened.bench.strategy.name,
        context_length=opened.bench.length,
    )


def _check_extra() -> None:
    """Raise UserError if the extra is not installed."""
    for name in WEB:
        try:
            importlib.import_module(name)
        except ImportError:
            raise UserError(
                f"ctxlab serve needs {name}, which is not installed: pip install 'ctxlab[serve]'."
            ) from None
