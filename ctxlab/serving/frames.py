"""Messages between the server and its workers: a header in JSON and a body of bytes, over a socket of this machine."""

import asyncio
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

SIZES = struct.Struct(">II")
"""Bytes of header and body."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message."""

    header: dict[str, Any]
    body: bytes = b""


def packed(header: Mapping[str, Any], body: bytes = b"") -> bytes:
    """Return a message as it is sent."""
    head = json.dumps(header).encode()
    return SIZES.pack(len(head), len(body)) + head + body


async def read(reader: asyncio.StreamReader) -> Frame | None:
    """Return the next message, or None once the other side is gone, even in the middle of one."""
    try:
        head, body = SIZES.unpack(await reader.readexactly(SIZES.size))
        return Frame(json.loads(await reader.readexactly(head)), await reader.readexactly(body))
    except (asyncio.IncompleteReadError, OSError):
        return None


def received(file: BinaryIO) -> Frame | None:
    """Return the next message, or None once the other side is gone; blocks."""
    try:
        sizes = file.read(SIZES.size)
        if len(sizes) < SIZES.size:
            return None
        head, body = SIZES.unpack(sizes)
        first, rest = file.read(head), file.read(body)
    except OSError:
        return None
    return Frame(json.loads(first), rest) if len(first) == head and len(rest) == body else None
