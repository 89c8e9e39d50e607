"""Alpaca's instructions: an instruction, optionally an input, and the output."""

from collections.abc import Iterator

from ctxlab.core.data import Record
from ctxlab.data.formats.base import Fields, Format, with_fields
from ctxlab.data.readers.tally import Tally


def recognises(fields: Fields) -> bool:
    """Return whether there are fields ``instruction`` and ``output``."""
    return fields.keys() >= {"instruction", "output"} and "turns" not in fields


def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """Yield a dialogue of two turns: the instruction with its input below it, and the output."""
    del task, tally
    fields = record.fields
    asked = "\n\n".join(str(fields[name]) for name in ("instruction", "input") if fields.get(name))
    turns = [{"speaker": "user", "text": asked}, {"speaker": "assistant", "text": fields["output"]}]
    yield with_fields(record, turns=turns)


FORMAT = Format("Alpaca", frozenset({"dialogue"}), recognises, convert)
