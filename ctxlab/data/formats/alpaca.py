"""Instructions with the text that follows: Alpaca, Dolly, and the prompts and completions of fine-tuning services."""

from collections.abc import Iterator

from ctxlab.core.data import Record
from ctxlab.data.formats.base import Fields, Format, with_fields
from ctxlab.data.readers.tally import Tally

ASKED = ("instruction", "prompt")
MORE = ("input", "context")
"""Fields of a text that is read with the instruction."""

FOLLOWING = ("output", "response", "completion")


def recognises(fields: Fields) -> bool:
    """Return whether there are an instruction and what follows it, both texts."""
    return "turns" not in fields and all(_first(fields, names) is not None for names in (ASKED, FOLLOWING))


def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """Yield a dialogue of two turns: the instruction with its input below it, and what follows."""
    del task, tally
    fields = record.fields
    asked = "\n\n".join(str(fields[name]) for name in (*ASKED, *MORE) if fields.get(name))
    turns = [{"speaker": "user", "text": asked}, {"speaker": "assistant", "text": _first(fields, FOLLOWING)}]
    yield with_fields(record, turns=turns)


def _first(fields: Fields, names: tuple[str, ...]) -> str | None:
    return next((fields[name] for name in names if isinstance(fields.get(name), str)), None)


FORMAT = Format("instructions", frozenset({"dialogue"}), recognises, convert)
