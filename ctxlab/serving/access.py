"""Who may do what: keys as clients present them, and their quotas."""

import asyncio
import hashlib
import hmac
import logging
import math
import secrets
import time
from pathlib import Path

from starlette.requests import Request

from ctxlab.core.errors import UserError
from ctxlab.serving.keys import FORM, Key, read
from ctxlab.serving.refusal import CLOSE, Refusal

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""Seconds between looks whether the file of keys has changed."""

HASHING = 2
"""Hashes that are computed at the same time."""

MAX_HASHING = 64
"""Requests that may wait for a hash."""

KNOWN = 4096
"""Presented keys that are remembered, so that they are hashed once."""

MINUTE = 60.0


class Bucket:
    """A quota: it fills by a number each minute, up to that number, and what is taken may make it negative."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._level, self._at = float(per_minute), time.monotonic()

    def wait_seconds(self, now: float | None = None) -> float:
        """Return the seconds until one may be taken; 0 if it may now."""
        now = time.monotonic() if now is None else now
        self._level = min(self._per_minute, self._level + (now - self._at) * self._per_minute / MINUTE)
        self._at = now
        return 0.0 if self._level >= 1 else (1 - self._level) * MINUTE / self._per_minute

    def take(self, amount: float) -> None:
        """Take something; a negative amount is given back."""
        self._level -= amount


class Access:
    """The keys of a server."""

    def __init__(self, path: Path | None) -> None:
        """Read the file of keys; without one everybody may do everything.

        Raises:
            UserError: The file cannot be used.
        """
        self._path = path
        self._keys: dict[str, Key] = read(path) if path else {}
        self._stamp = _stamp(path)
        self._looked = time.monotonic()
        self._own = secrets.token_bytes(32)
        self._known: dict[bytes, str] = {}
        self._quotas: dict[str, tuple[Bucket | None, Bucket | None]] = {}
        self._hashing = asyncio.Semaphore(HASHING)
        self._num_hashing = 0

    @property
    def is_open(self) -> bool:
        """Whether there are no keys."""
        return self._path is None

    async def check(self, request: Request, scope: str) -> str:
        """Return the id of the key of a request that has a scope; empty where there are no keys.

        Raises:
            Refusal: It has no key, an unknown one, or one without the scope.
        """
        if self._path is None:
            return ""
        self._look()
        key = await self._key(request.headers.get("authorization", ""))
        if key is None:
            headers = {"WWW-Authenticate": "Bearer", **CLOSE}
            raise Refusal(401, "The request needs a key: send the header Authorization: Bearer <key>.", headers)
        if not key.allows(scope):
            raise Refusal(403, f"The key is not for this address: it needs the scope {scope}.", CLOSE)
        return key.id

    async def _key(self, header: str) -> Key | None:
        kind, _, given = header.partition(" ")
        found = FORM.fullmatch(given.strip())
        if kind.lower() != "bearer" or not found:
            return None
        key = self._keys.get(found[1])
        digest = hmac.digest(self._own, given.strip().encode(), hashlib.sha256)
        if key is not None and self._known.get(digest) == key.hash:
            return key
        if key is None or not await self._is_it(key, found[2]):
            return None
        if len(self._known) >= KNOWN:
            self._known.clear()
        self._known[digest] = key.hash
        return key

    async def _is_it(self, key: Key, secret: str) -> bool:
        """Return whether the secret is that of the key; hashing takes milliseconds, so a thread does it."""
        if self._num_hashing >= MAX_HASHING:
            raise Refusal(429, "Too many keys are being checked: send this later.", {"Retry-After": "1", **CLOSE})
        self._num_hashing += 1
        try:
            async with self._hashing:
                return await asyncio.to_thread(key.is_it, secret)
        finally:
            self._num_hashing -= 1

    def _look(self) -> None:
        """Read the file anew if it has changed, so that a removed key is refused; a faulty file changes nothing."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        stamp = _stamp(self._path)
        if stamp == self._stamp or self._path is None:
            return
        self._stamp = stamp
        try:
            self._keys = read(self._path)
        except UserError as error:
            log.error("The former keys stay in use: %s", error)
            return
        self._quotas.clear()

    def admit(self, key: str, documents: int, tokens: float) -> None:
        """Take documents, and about how many tokens they have, from the quotas of a key.

        Raises:
            Refusal: One of them is used up.
        """
        for bucket, what in zip(self._buckets(key), ("tokens", "documents"), strict=True):
            wait = bucket.wait_seconds() if bucket else 0.0
            if wait:
                sentence = f"The key has used its {what} of this minute: send this later."
                raise Refusal(429, sentence, {"Retry-After": str(math.ceil(wait)), **CLOSE})
        self.take(key, documents, tokens)

    def take(self, key: str, documents: int, tokens: float) -> None:
        """Take from the quotas of a key, such as what a request had beyond what was taken for it."""
        for bucket, amount in zip(self._buckets(key), (tokens, documents), strict=True):
            if bucket:
                bucket.take(amount)

    def _buckets(self, key: str) -> tuple[Bucket | None, Bucket | None]:
        found = self._keys.get(key)
        if found is None:
            return None, None
        if key not in self._quotas:
            tokens, documents = found.tokens_per_minute, found.documents_per_minute
            self._quotas[key] = (Bucket(tokens) if tokens else None, Bucket(documents) if documents else None)
        return self._quotas[key]


def _stamp(path: Path | None) -> tuple[int, int] | None:
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
