"""Conversations of OpenAI's API and ShareGPT, messages with who says them, and of DailyDialog, texts in turn."""

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
    """A list of messages under one of its names, and no turns of our own."""
    return "turns" not in fields and _key(fields) is not None


def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """One turn a message, spoken by its role; calls of tools, which have no text, are empty turns."""
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
    """Whether ``value`` is a list of messages, or of texts that two speakers say in turn; an empty one, too."""
    return value == [] or any(is_list_of(value, who) for who in SPEAKERS) or _is_texts(value)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


def _turn(message: Mapping[str, Any], place: str, origin: str) -> dict[str, Any]:
    speaker = next(message[name] for name in SPEAKERS if name in message)
    return {"speaker": speaker, "text": _text(next((message[n] for n in TEXTS if n in message), None), place, origin)}


def _text(content: Any, place: str, origin: str) -> str:
    """A text, or the texts among the parts of a message."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, Mapping) and part.get("type") == "text" for part in content):
        return "\n".join(str(part.get("text", "")) for part in content)
    raise UserError(f"The field '{place}.content' of {origin} is not text alone: take out pictures and sounds.")


FORMAT = Format("chat messages", frozenset({"dialogue"}), recognises, convert)
