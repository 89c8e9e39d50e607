"""Jobs: documents whose answers are fetched later, with a journal on disk that survives a crash.

A job is accepted once its file is on disk. Its document is deleted once the answer is on disk, and the answer after
some time or when the client says so. All files are their owner's alone.
"""

import asyncio
import logging
import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctxlab.serving.asked import Asked
from ctxlab.serving.frames import Frame, packed
from ctxlab.serving.journal import locked, read, unlock, write
from ctxlab.serving.pool import Pool
from ctxlab.serving.refusal import Refusal
from ctxlab.serving.settings import JobSettings
from ctxlab.serving.worker import DOCUMENT

log = logging.getLogger(__name__)

ARRIVING, WAITING, DONE, REFUSED = "arriving", "waiting", "done", "refused"

AT_ONCE = 4
"""Jobs that each worker has at the same time; the others wait on disk."""

LOOK_SECONDS = 5.0
"""Seconds between looks for answers that are too old."""

IDENTITY = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)

JOB, ANSWER = ".job", ".answer"


@dataclass(slots=True)
class Job:
    """What is known of a job without its files."""

    identity: str
    key: str
    status: str = WAITING
    ended: float = 0.0


class Jobs:
    """The jobs of a server."""

    def __init__(self, settings: JobSettings, pool: Pool) -> None:
        """Read the journal.

        Args:
            settings: Where it is and how long answers are kept.
            pool: Answers.

        Raises:
            UserError: The folder cannot be used, or another server uses it.
        """
        self._settings, self._pool = settings, pool
        self._jobs: dict[str, Job] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._main: asyncio.Task[None] | None = None
        self._lock = locked(settings.folder)
        for path in sorted(settings.folder.iterdir(), key=lambda path: path.stat().st_mtime):
            self._recover(path)

    @property
    def num_waiting(self) -> int:
        """Return the number of jobs without an answer."""
        return sum(job.status in (ARRIVING, WAITING) for job in self._jobs.values())

    @property
    def num_kept(self) -> int:
        """Return the number of answers that are kept."""
        return len(self._jobs) - self.num_waiting

    def fileno(self) -> int:
        """Return the file descriptor that marks the folder as used."""
        return self._lock.fileno()

    def start(self) -> None:
        """Begin to answer."""
        self._main = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop; jobs without an answer stay on disk."""
        tasks = [task for task in (self._main, *self._running.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.close()

    def close(self) -> None:
        """Let another server use the folder."""
        unlock(self._settings.folder, self._lock)

    async def accept(self, body: bytes, key: str) -> str:
        """Keep a document and return the identity of its job.

        Raises:
            Refusal: Too many are waiting, or the disk does not take it.
        """
        if self.num_waiting >= self._settings.max_jobs:
            raise Refusal(429, f"{self.num_waiting} jobs are waiting already: send this later.", {"Retry-After": "5"})
        identity = secrets.token_urlsafe(16)
        job = Job(identity, key, ARRIVING)  # counts from now on, and is not read before it is on disk
        self._jobs[identity] = job
        content = packed({"key": key, "accepted": time.time()}, body)
        try:
            await asyncio.to_thread(write, self._path(identity, JOB), content)
        except OSError as error:
            del self._jobs[identity]
            log.error("A job cannot be kept: %s.", error.strerror)
            raise Refusal(503, "The server cannot keep the job: send it later.", {"Retry-After": "30"}) from None
        job.status = WAITING
        self._changed.set()
        return identity

    async def look(self, identity: str, key: str) -> tuple[str, Frame | None]:
        """Return the status of a job and, once there is one, its answer.

        Raises:
            Refusal: There is no such job of this key.
        """
        job = self._job(identity, key)
        if job.status not in (DONE, REFUSED):
            return WAITING, None
        frame = await asyncio.to_thread(read, self._path(identity, ANSWER))
        if frame is None:
            raise _unknown()
        return job.status, frame

    def delete(self, identity: str, key: str) -> None:
        """Forget a job and its answer.

        Raises:
            Refusal: There is no such job of this key.
        """
        self._job(identity, key)
        self._forget(identity)

    def _job(self, identity: str, key: str) -> Job:
        job = self._jobs.get(identity) if IDENTITY.fullmatch(identity) else None
        if job is None or job.key != key:
            raise _unknown()
        return job

    def _forget(self, identity: str) -> None:
        self._jobs.pop(identity, None)
        if identity in self._running:
            self._running[identity].cancel()
        for ending in (JOB, ANSWER):
            self._path(identity, ending).unlink(missing_ok=True)

    def _path(self, identity: str, ending: str) -> Path:
        return self._settings.folder / f"{identity}{ending}"

    def _recover(self, path: Path) -> None:
        """Take a file of the journal that another server has left; what it did not finish writing is removed."""
        identity = path.stem
        if path.suffix not in (JOB, ANSWER) or not IDENTITY.fullmatch(identity):
            if path.name.endswith(".tmp"):
                path.unlink()
            return
        frame = read(path)
        if frame is None:
            log.error("%s is damaged and is left alone.", path)
            return
        if path.suffix == ANSWER:
            status = DONE if frame.header["status"] == 200 else REFUSED
            self._jobs[identity] = Job(identity, frame.header["key"], status, frame.header["ended"])
            self._path(identity, JOB).unlink(missing_ok=True)
        elif identity not in self._jobs:
            self._jobs[identity] = Job(identity, frame.header["key"])

    async def _run(self) -> None:
        """Give jobs to workers, and remove old answers."""
        while True:
            self._changed.clear()
            room = AT_ONCE * max(self._pool.num_workers, 1) - len(self._running)
            waiting = [job for job in self._jobs.values() if job.status == WAITING]
            for job in [job for job in waiting if job.identity not in self._running][: max(room, 0)]:
                self._running[job.identity] = asyncio.create_task(self._answer(job))
            late = time.time() - self._settings.kept_seconds
            for identity in [each.identity for each in self._jobs.values() if each.ended and each.ended < late]:
                self._forget(identity)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), LOOK_SECONDS)

    async def _answer(self, job: Job) -> None:
        asked: Asked | None = None
        try:
            frame = await asyncio.to_thread(read, self._path(job.identity, JOB))
            if frame is None:
                log.error("The journal has lost job %s.", job.identity)
                self._jobs.pop(job.identity, None)
                return
            asked = self._pool.ask(DOCUMENT, frame.body, job.key)
            await self._keep(job, await asked.frames.get())
        except OSError as error:  # the job stays, and is tried again
            log.error("The answer of a job cannot be kept: %s.", error.strerror)
            await asyncio.sleep(LOOK_SECONDS)
        finally:
            if asked is not None:
                self._pool.leave(asked)
            del self._running[job.identity]
            self._changed.set()

    async def _keep(self, job: Job, answer: Frame) -> None:
        """Put an answer on disk, and remove its document."""
        status, ended = answer.header["status"], time.time()
        content = packed({"key": job.key, "status": status, "ended": ended}, answer.body)
        await asyncio.to_thread(write, self._path(job.identity, ANSWER), content)
        if job.identity not in self._jobs:  # deleted meanwhile
            self._path(job.identity, ANSWER).unlink(missing_ok=True)
            return
        self._path(job.identity, JOB).unlink(missing_ok=True)
        job.status, job.ended = DONE if status == 200 else REFUSED, ended


def _unknown() -> Refusal:
    return Refusal(404, "There is no such job: its answer was deleted, or it is another key's.")


def described(identity: str, status: str) -> dict[str, Any]:
    """Return a job as it is shown."""
    return {"job": identity, "status": status, "url": f"/v1/jobs/{identity}"}
