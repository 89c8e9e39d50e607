"""Messages between processes: what is sent is what is received, and half a message is the end."""

import asyncio
from io import BytesIO

import pytest

from ctxlab.serving.frames import Frame, packed, read, received

FRAMES = [Frame({"what": "ask", "number": 1}, b""), Frame({"key": "é"}, bytes(range(256)) * 400)]
SENT = b"".join(packed(frame.header, frame.body) for frame in FRAMES)


async def all_of(content):
    reader = asyncio.StreamReader()
    reader.feed_data(content)
    reader.feed_eof()
    return [await read(reader) for _ in range(3)]


def test_both_readers_return_what_was_sent_and_none_at_the_end():
    file = BytesIO(SENT)
    assert [received(file) for _ in range(3)] == [*FRAMES, None]
    assert asyncio.run(all_of(SENT)) == [*FRAMES, None]


@pytest.mark.parametrize("end", [1, 7, 20, len(packed(FRAMES[0].header)) - 1])
def test_half_a_message_is_the_end(end):
    assert received(BytesIO(SENT[:end])) is None
    assert asyncio.run(all_of(SENT[:end]))[0] is None
