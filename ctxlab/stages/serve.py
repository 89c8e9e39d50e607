"""``ctxlab serve run=…``: a server that answers documents of any length as ``ctxlab predict`` does."""

import importlib
import logging
import socket
import ssl
from contextlib import closing
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ctxlab.config.build import build
from ctxlab.config.keys.working import ServeSettings
from ctxlab.core import bundle
from ctxlab.core.errors import Interrupted, UserError
from ctxlab.core.explanation import Explanation
from ctxlab.core.files import write_json
from ctxlab.core.folders import sha256
from ctxlab.data.splits import Splits
from ctxlab.serving.forks import Forks
from ctxlab.serving.settings import Elastic, JobSettings, Limits, Served, workers
from ctxlab.serving.tls import context
from ctxlab.serving.worker import Opened as OpenedWorker
from ctxlab.serving.worker import work
from ctxlab.tracking.console import console, say
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.explaining.named import Named
from ctxlab.workbench.exporting.opening import bundle_of
from ctxlab.workbench.opening import Opened, open_bench
from ctxlab.workbench.parts import Parts

if TYPE_CHECKING:
    from ctxlab.serving.front import Front

WEB = ("fastapi", "uvicorn", "httptools", "prometheus_client")
"""Libraries of the extra."""

JOBS = "jobs"
"""Folder in the run directory for the journal of jobs."""

ADDRESS = "server.json"
"""File in the run directory with the address."""

LOOPBACK = ("127.", "::1", "localhost")

QUIET = ("uvicorn.error", "asyncio")


def run(parts: Parts) -> None:
    """Answer documents until a signal."""
    _check_extra()
    if parts.trainer.processes > 1:
        raise UserError(
            f"trainer.processes={parts.trainer.processes}: ctxlab serve starts its processes by serve.workers=; "
            "leave it out."
        )
    from ctxlab.serving.server import listen  # needs the extra

    given: ServeSettings = parts.options.serve
    low, high = workers(given.workers)
    for name in QUIET:  # what they have to say is about connections
        logging.getLogger(name).setLevel(logging.CRITICAL)
    bundle_of(parts)  # a runtime that does not fit is said before anything is started
    tls = context(given.tls.certificate, given.tls.key)
    with listen(given.host, given.port) as found:
        _serve(parts, found, Elastic(low, high, given.queue_seconds), tls=tls)


def _serve(parts: Parts, found: socket.socket, elastic: Elastic, tls: ssl.SSLContext | None) -> None:
    from ctxlab.serving.access import Access
    from ctxlab.serving.front import Front
    from ctxlab.serving.jobs import Jobs
    from ctxlab.serving.metrics import Metrics
    from ctxlab.serving.pool import Pool
    from ctxlab.serving.server import Address, serve, url

    given: ServeSettings = parts.options.serve
    limits, run_dir = _limits(given), parts.origin.run_dir
    access = Access(Path(given.keys) if given.keys else None)
    pool = Pool(elastic)
    folder = Path(given.jobs) if given.jobs else run_dir / JOBS
    jobs = Jobs(JobSettings(folder, given.max_jobs, given.job_seconds), pool)
    screen, address = console(), url(found, "http" if tls is None else "https")
    if access.is_open and not given.host.startswith(LOOPBACK):
        say(
            screen,
            f"note: serve.host={given.host} without serve.keys=: whoever reaches this address may use the model.",
        )

    def ready() -> None:
        write_json(run_dir / ADDRESS, {"url": address})
        say(screen, f"Serving on {address}; stop with Ctrl-C or SIGTERM.")

    def answer(number: int) -> None:
        work(pool.path, number, lambda: _opened(parts, elastic), limits)

    pool.open()
    with closing(jobs):
        forks = Forks(answer, unneeded=[found.fileno(), jobs.fileno()])
        front = Front(pool=pool, access=access, limits=limits, metrics=Metrics(), jobs=jobs, version=version("ctxlab"))
        number = serve(front, forks, Address(found, ready, tls))
    _say_end(front, number, folder)


def _limits(given: ServeSettings) -> Limits:
    return Limits(
        max_bytes=given.max_bytes,
        max_characters=given.max_characters,
        max_waiting=given.max_waiting,
        max_waiting_per_key=given.max_waiting_per_key,
        max_connections=given.max_connections,
        head_seconds=given.head_seconds,
        body_seconds=given.body_seconds,
        drain_seconds=given.drain_seconds,
    )


def _say_end(front: "Front", number: int, folder: Path) -> None:
    pool = front.pool
    left = front.jobs.num_waiting
    jobs = f" {left:,} jobs wait: serve.jobs={folder} continues them." if left else ""
    if pool.cut_off:
        raise Interrupted(
            number,
            f"Stopped: {pool.answered:,} documents were answered, {pool.cut_off:,} were cut off after "
            f"serve.drain_seconds={front.limits.drain_seconds:g}.{jobs}",
        )
    say(console(), f"Stopped: {pool.answered:,} documents were answered, none is lost.{jobs}")


def _opened(parts: Parts, elastic: Elastic) -> OpenedWorker:
    """Open the model in a worker; several share the cores."""
    if elastic.max_workers > 1:
        torch.set_num_threads(max(1, torch.get_num_threads() // elastic.max_workers))
    opened = open_bench(parts, lambda _: Splits(train=[], validation=[], test=[]))
    options, bench = parts.options, by_windows(opened.bench)
    named = Named(bench, build(options.explanation, Explanation), options.serve.targets)
    return OpenedWorker(bench.answerer(), bench.tokenizer, _served(parts, opened), mechanisms=named)


def by_windows(bench: Workbench) -> Workbench:
    """Return the same with passes of a window's tokens on a CPU, unless the command says how many.

    Nobody waits for more than the pass that is running, and there larger ones are no faster (docs/serving.md).
    """
    if bench.settings.tokens_per_forward is not None or bench.accelerator.device.type != "cpu":
        return bench
    return replace(bench, settings=replace(bench.settings, tokens_per_forward=bench.length))


def _served(parts: Parts, opened: Opened) -> Served:
    folder = opened.checkpoint
    name, weights = folder.name if folder else "", sha256(folder / "model.safetensors") if folder else ""
    run = parts.start.folder.name if parts.start else Path(opened.origin).name
    if exported := bundle_of(parts):
        facts = bundle.read(exported)
        run, name, weights = facts.run, facts.checkpoint, facts.weights_sha256
    return Served(
        run=run,
        checkpoint=name,
        sha256=weights,
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
