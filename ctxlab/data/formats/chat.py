"""Conversations of OpenAI's API and ShareGPT (messages with a role), and of DailyDialog (alternating texts)."""

from collections.abc import Iterator, Mapping
from typing import Any

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.data.formats.base import Fields, Format, is_list_of, with_fields
from ctxlab.data.readers.tally import Tally

LISTS = ("messages", "conversations", "conversation", "dialog", "utterances")
SPEAKERS, TEXTS = ("role", "from"), ("content", "value")
"""Fields of a list, and of a message."""


def recognises(fields: Fields) -> bool:
    """Return whether there is a list of messages under one of its names, and no field ``turns``."""
    return "turns" not in fields and _key(fields) is not None


def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """Yield a dialogue with one turn per message, whose speaker is the role; tool calls become empty turns."""
    del task, tally
    key = _key(record.fields)
    assert key is not None, "recognised by it"
    given = record.fields[key]
    if _is_texts(given):
        given = [{"role": "AB"[index % 2], "content": text} for index, text in enumerate(given)]
    turns = [_turn(one, f"{key}[{index}]", record.origin) for index, one in enumerate(given)]
    yield with_fields(record, turns=turns)


def _key(fields: Fields) -> str | None:
    return next((key for key in LISTS if _is_messages(fields.get(key))), None)


def _is_messages(value: Any) -> bool:
    """Return whether ``value`` is a list, possibly empty, of messages or of texts by two alternating speakers."""
    return value == [] or any(is_list_of(value, who) for who in SPEAKERS) or _is_texts(value)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


def _turn(message: Mapping[str, Any], place: str, origin: str) -> dict[str, Any]:
    speaker = next(message[name] for name in SPEAKERS if name in message)
    return {"speaker": speaker, "text": _text(next((message[n] for n in TEXTS if n in message), None), place, origin)}


def _text(content: Any, place: str, origin: str) -> str:
    """Return the text of a message, or the texts among its parts."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, Mapping) and part.get("type") == "text" for part in content):
        return "\n".join(str(part.get("text", "")) for part in content)
    raise UserError(f"The field '{place}.content' of {origin} is not only text: remove images and audio.")


FORMAT = Format("chat messages", frozenset({"dialogue"}), recognises, convert)
