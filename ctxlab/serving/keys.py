"""Keys of clients: a file that holds their hashes, and ``python -m ctxlab.serving.keys`` that adds one.

The file has one JSON object a line. It never holds a key: only a name, scopes, quotas, a salt and a hash (scrypt).
"""

import argparse
import hashlib
import hmac
import json
import os
import re
import secrets
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ctxlab.core.errors import UserError

INFER, EXPLAIN, METRICS, ADMIN = "infer", "explain", "metrics", "admin"
SCOPES = (INFER, EXPLAIN, METRICS, ADMIN)
"""What a key allows: documents, explanations, /metrics; ``admin`` is everything and /v1/status."""

FORM = re.compile(r"ctxlab_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
"""A key: which line of the file it belongs to, and 256 random bits."""

SCRYPT = {"n": 2**12, "r": 8, "p": 1, "dklen": 32}
"""Cost of a hash: 4 MB and some milliseconds. More would not help, since no word list has a key of 256 random bits."""

NAME = re.compile(r"[A-Za-z0-9_.@-]{1,64}")

OTHERS = 0o077
"""Permissions of a file that others than its owner have."""


@dataclass(frozen=True, slots=True)
class Key:
    """One line of the file."""

    id: str
    name: str
    scopes: tuple[str, ...]
    salt: str
    hash: str
    tokens_per_minute: int | None = None
    documents_per_minute: int | None = None

    def allows(self, scope: str) -> bool:
        """Return whether the key may be used for something."""
        return scope in self.scopes or ADMIN in self.scopes

    def is_it(self, secret: str) -> bool:
        """Return whether a secret is that of this key, in a time that does not depend on it."""
        return hmac.compare_digest(hashed(secret, self.salt), self.hash)


def hashed(secret: str, salt: str) -> str:
    """Return the hash of a secret."""
    return hashlib.scrypt(secret.encode(), salt=bytes.fromhex(salt), **SCRYPT).hex()


def read(path: Path) -> dict[str, Key]:
    """Return the keys of a file by their ids.

    Raises:
        UserError: The file is not there, others can read it, or a line is not one of a key.
    """
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = (getattr(error, "strerror", None) or "it is not UTF-8").lower()
        raise UserError(f"serve.keys={path} cannot be read ({reason}): make one with {HOW}.") from None
    if mode & OTHERS:
        raise UserError(f"serve.keys={path} can be read by others than its owner: chmod 600 {path}.")
    keys = [_key(line, f"line {number} of serve.keys={path}") for number, line in enumerate(lines, 1) if line.strip()]
    if not keys:
        raise UserError(f"serve.keys={path} has no key: add one with {HOW}.")
    return {key.id: key for key in keys}


HOW = "python -m ctxlab.serving.keys <file> <name>"


def _key(line: str, place: str) -> Key:
    try:
        given = json.loads(line)
        key = Key(**{**given, "scopes": tuple(given["scopes"])})
        right = NAME.fullmatch(key.name) and set(key.scopes) <= set(SCOPES) and bytes.fromhex(key.salt + key.hash)
        numbers = [key.tokens_per_minute, key.documents_per_minute]
        if not right or any(number is not None and not (type(number) is int and number > 0) for number in numbers):
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UserError(f"The {place} is not one of a key: write lines with {HOW} only.") from None
    return key


def made(name: str, scopes: Collection[str], quotas: Mapping[str, int | None]) -> tuple[Key, str]:
    """Return a new key as a line of the file, and as its client sends it."""
    identity, secret, salt = secrets.token_hex(6), secrets.token_urlsafe(32), secrets.token_hex(16)
    ordered = tuple(scope for scope in SCOPES if scope in scopes)
    key = Key(identity, name, ordered, salt, hash=hashed(secret, salt), **quotas)
    return key, f"ctxlab_{identity}_{secret}"


def add(path: Path, key: Key) -> None:
    """Append a key to a file, which is made for its owner alone.

    Raises:
        UserError: The file cannot be written, or others can read it.
    """
    line = {name: value for name, value in asdict(key).items() if value is not None}
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            if os.fstat(handle).st_mode & OTHERS:
                raise UserError(f"{path} can be read by others than its owner: chmod 600 {path}.")
            file.write(json.dumps(line) + "\n")
    except OSError as error:
        raise UserError(f"{path} cannot be written ({str(error.strerror).lower()}): give another place.") from None


def main(words: Sequence[str] | None = None) -> int:
    """Add a key to a file and print it, once."""
    parser = argparse.ArgumentParser(prog="python -m ctxlab.serving.keys", description=__doc__)
    parser.add_argument("file", type=Path, help="the file of serve.keys=; made if it is not there")
    parser.add_argument("name", help="whose key it is, for you; letters, digits, . _ @ -")
    parser.add_argument("--scopes", default=INFER, help=f"of {','.join(SCOPES)}, separated by commas (infer)")
    parser.add_argument("--tokens-per-minute", type=int, help="quota (none)")
    parser.add_argument("--documents-per-minute", type=int, help="quota (none)")
    given = parser.parse_args(words)
    scopes = given.scopes.split(",")
    quotas: dict[str, Any] = {name: getattr(given, name) for name in ("tokens_per_minute", "documents_per_minute")}
    try:
        _check(given.name, scopes, quotas)
        key, secret = made(given.name, scopes, quotas)
        add(given.file, key)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    print(secret)
    sys.stderr.write(f"The key of {given.name} is shown only now; {given.file} has its hash.\n")
    return 0


def _check(name: str, scopes: Sequence[str], quotas: Mapping[str, int | None]) -> None:
    if not NAME.fullmatch(name):
        raise UserError("The name of a key has 1 to 64 letters, digits and . _ @ -: give such a name.")
    for scope in scopes:
        if scope not in SCOPES:
            raise UserError(f"--scopes={scope} is not one of {', '.join(SCOPES)}.")
    for option, number in quotas.items():
        if number is not None and number < 1:
            raise UserError(f"--{option.replace('_', '-')}={number} is too small: give 1 or more, or leave it out.")


if __name__ == "__main__":
    sys.exit(main())
