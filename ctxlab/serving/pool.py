"""The workers as the server sees them: who answers what, who is replaced, and how many there are.

The server never parses a document. What a worker had accepted when it died is given to another one.
"""

import asyncio
import logging
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from ctxlab.core.errors import UserError
from ctxlab.serving.asked import Asked, Worker
from ctxlab.serving.frames import Frame, packed, read
from ctxlab.serving.scaling import Pace, Steps, desired
from ctxlab.serving.settings import Elastic
from ctxlab.serving.suspects import Suspects
from ctxlab.serving.written import written

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
"""Seconds between looks at the queue."""

REPLACE_SECONDS = 1.0
"""Seconds between starts of workers that die before they answer anything."""


START_SECONDS = 120.0
"""Seconds after which a worker that has not begun to open the model is no longer expected."""


class Maker(Protocol):
    """Starts processes; see ``forks.Forks``."""

    def fork(self, number: int) -> None:
        """Start one that connects to the pool and says ``number``."""

    def end(self) -> None:
        """Wait until all have ended."""


class Pool:
    """Gives requests to workers."""

    def __init__(self, elastic: Elastic) -> None:
        """Store how many workers there should be; nothing is started."""
        self._elastic = elastic
        self.counted: Callable[[Asked, Frame], None] = lambda _, __: None
        """Called with each answer."""
        self.deaths = 0
        """Workers that ended unexpectedly."""
        self._steps = Steps(elastic.min_workers, elastic.max_workers)
        self.path = ""
        """Socket of the server, in a folder that only its user can enter."""
        self.pace = Pace()
        self.served: dict[str, Any] = {}
        """The model, as the workers say."""
        self.labels: list[str] = []
        self.answered = 0
        """Requests that got a record."""
        self.cut_off = 0
        """Requests whose answer the server did not wait for when it stopped."""
        self._workers: list[Worker] = []
        self._starting: dict[int, float] = {}
        self._waiting: list[Asked] = []
        self._suspects = Suspects(self._dispatch, self._give_up)
        self._number = 0
        self._made = 0
        self._failed: UserError | RuntimeError | None = None
        self._stops = False
        self._maker: Maker | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Make the folder of the socket, before there are processes that need its name."""
        self.path = str(Path(tempfile.mkdtemp(prefix="ctxlab-serve-")) / "workers")

    async def start(self, maker: Maker, stopped: Callable[[], bool]) -> bool:
        """Start the workers; returns False if the server was stopped before one was ready.

        Raises:
            UserError: The model cannot be opened.
        """
        self._maker = maker
        self._listening = await asyncio.start_unix_server(self._talk, self.path)
        Path(self.path).chmod(0o600)
        for _ in range(self._elastic.min_workers):
            self._fork()
        while len(self._workers) < self._elastic.min_workers:
            if self._failed is not None:
                raise self._failed
            if stopped():
                return False
            if self._starting and min(self._starting.values()) < time.monotonic() - START_SECONDS:
                raise RuntimeError(f"No worker said anything for {START_SECONDS:g} seconds: was its process killed?")
            await asyncio.sleep(0.02)
        self._tasks.append(asyncio.create_task(self._look()))
        return True

    async def stop(self) -> None:
        """End the workers."""
        self._stops = True
        self._suspects.stop()
        for task in self._tasks:
            task.cancel()
        self._listening.close()
        for worker in self._workers:
            worker.writer.close()
        if self._maker is not None:
            await asyncio.to_thread(self._maker.end)
        shutil.rmtree(Path(self.path).parent, ignore_errors=True)

    @property
    def num_workers(self) -> int:
        """Return the number of workers that answer."""
        return sum(not worker.is_retired for worker in self._workers)

    @property
    def pids(self) -> list[int]:
        """Return the process ids of the workers."""
        return [worker.pid for worker in self._workers]

    @property
    def num_waiting(self) -> int:
        """Return the number of requests without an answer."""
        return len(self._unread)

    @property
    def _unread(self) -> list[Asked]:
        at_workers = [asked for worker in self._workers for asked in worker.asked.values()]
        return [*self._waiting, *self._suspects.waiting, *at_workers]

    @property
    def queued_tokens(self) -> float:
        """Return about how many tokens wait for an answer."""
        return sum(self.pace.tokens(len(asked.body)) for asked in self._unread)

    @property
    def desired(self) -> int:
        """Return how many workers would read what waits in time, whatever the allowed number."""
        return desired(self.queued_tokens, self.pace.tokens_per_second, self._elastic.queue_seconds)

    def ask(self, kind: str, body: bytes, key: str, started: float | None = None) -> Asked:
        """Accept a request; its ``frames`` will end with one that has a status.

        Args:
            kind: What is asked for, see ``worker``.
            body: As the client sent it.
            key: Whose it is.
            started: When it came; None for now.
        """
        self._number += 1
        began = time.monotonic() if started is None else started
        asked = Asked(number=self._number, kind=kind, body=body, key=key, started=began)
        self._dispatch(asked)
        return asked

    def leave(self, asked: Asked) -> None:
        """Stop the work for a request that nobody waits for."""
        if asked in self._waiting:
            self._waiting.remove(asked)
        self._withdraw(asked)
        self._suspects.ended(asked)

    def _withdraw(self, asked: Asked) -> None:
        """Take a request from its worker."""
        worker = asked.worker
        if worker is not None and worker.asked.pop(asked.number, None) is not None:
            self._send(worker, packed({"what": "leave", "number": asked.number}))

    def _dispatch(self, asked: Asked) -> None:
        ready = [worker for worker in self._workers if not worker.is_retired]
        if not ready:
            self._waiting.append(asked)
            return
        self._give(asked, min(ready, key=lambda one: sum(len(other.body) for other in one.asked.values())))

    def _give(self, asked: Asked, worker: Worker) -> None:
        asked.worker = worker
        worker.asked[asked.number] = asked
        header = {"what": "ask", "number": asked.number, "kind": asked.kind, "key": asked.key, "started": asked.started}
        self._send(worker, packed(header, asked.body))

    def _send(self, worker: Worker, content: bytes) -> None:
        with suppress(OSError):  # a worker that is gone is noticed by the one who reads
            worker.writer.write(content)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hear one worker until it is gone."""
        hello, ready = await read(reader), await read(reader)
        if hello is not None:
            self._starting.pop(hello.header["number"], None)
        if hello is None or ready is None or ready.header["what"] != "ready":
            writer.close()
            self._fail(ready)
            return
        self.served, self.labels = ready.header["served"], ready.header["labels"]
        worker = Worker(hello.header["number"], writer, hello.header["pid"])
        self._workers.append(worker)
        waiting, self._waiting = self._waiting, []
        for asked in waiting:
            self._dispatch(asked)
        self._share(worker)
        while (frame := await read(reader)) is not None:
            self._hear(worker, frame)
        self._workers.remove(worker)
        writer.close()
        if not worker.is_retired and not self._stops:
            self._mourn(worker)

    def _share(self, worker: Worker) -> None:
        """Give a new worker half of what the one with the most has; of these the last, which are the least begun."""
        most = max(self._workers, key=lambda one: len(one.asked))
        there = [asked for asked in most.asked.values() if not asked.told]
        for asked in there[len(there) - len(there) // 2 :] if most is not worker else ():
            self._withdraw(asked)
            self._give(asked, worker)

    def _fail(self, frame: Frame | None) -> None:
        """Note why a worker could not begin."""
        if self._stops:
            return
        said = frame.header["said"] if frame else "A worker ended while it opened the model."
        if self._tasks:  # a later one: the others go on, and it is tried again
            log.error("A worker could not begin: %s", said.strip().splitlines()[-1])
            asyncio.get_running_loop().call_later(REPLACE_SECONDS, self._replace)
            return
        is_mistake = frame is not None and frame.header["is_mistake"]
        self._failed = UserError(said) if is_mistake else RuntimeError(said)

    def _hear(self, worker: Worker, frame: Frame) -> None:
        header = frame.header
        asked = worker.asked.get(header["number"])
        if header["what"] == "line":
            if asked is not None:
                self._pass_on(asked, frame)
            return
        self.pace.read(header["tokens_read"] - worker.tokens_read, header["busy_seconds"] - worker.busy_seconds)
        worker.tokens_read, worker.busy_seconds = header["tokens_read"], header["busy_seconds"]
        if asked is None:
            return
        del worker.asked[asked.number]
        self._suspects.ended(asked)
        if "figures" in header:
            self.answered += 1
            self.pace.measured(len(asked.body), sum(sizes[0] for sizes in header["figures"]["documents"]))
        self.counted(asked, frame)
        asked.frames.put_nowait(frame)

    def _pass_on(self, asked: Asked, frame: Frame) -> None:
        """Give a line to the client, unless it has it from a worker that died."""
        if asked.skipped:
            asked.skipped -= 1
            return
        asked.told += 1
        asked.frames.put_nowait(frame)

    def _mourn(self, worker: Worker) -> None:
        """Give what a dead worker had to another one."""
        log.warning("Worker %d died with %d requests; they are given to another.", worker.number, len(worker.asked))
        self.deaths += 1
        self._fork()
        for asked in list(worker.asked.values()):
            asked.worker, asked.skipped = None, asked.told
            self._suspects.mourn(asked)
        self._suspects.next()

    def _give_up(self, asked: Asked) -> None:
        said = written({"error": f"{asked.deaths} processes ended while they read this: send it later."})
        asked.frames.put_nowait(Frame({"what": "answer", "status": 503, "headers": {}}, said))

    def _fork(self) -> None:
        self._made += 1
        self._starting[self._made] = time.monotonic()
        try:
            assert self._maker is not None
            self._maker.fork(self._made)
        except OSError as error:
            log.error("No worker can be started (%s): start the server anew.", error.strerror)
            self._failed = self._failed or RuntimeError("The process that makes workers was killed: start it anew.")

    def _replace(self) -> None:
        if not self._stops and self.num_workers + len(self._starting) < self._elastic.min_workers:
            self._fork()

    async def _look(self) -> None:
        """Start and stop workers as the queue demands."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            late = time.monotonic() - START_SECONDS  # such as one that was killed before it said a word
            self._starting = {number: since for number, since in self._starting.items() if since > late}
            change = self._steps.change(self.num_workers + len(self._starting), self.desired)
            for _ in range(change):
                self._fork()
            if change < 0:
                self._retire()
            for worker in [one for one in self._workers if one.is_retired and not one.asked]:
                worker.writer.close()

    def _retire(self) -> None:
        """Give no more requests to the worker that has the fewest."""
        left = [worker for worker in self._workers if not worker.is_retired]
        if len(left) > 1:
            min(left, key=lambda worker: len(worker.asked)).is_retired = True
