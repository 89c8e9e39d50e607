"""The MRQA shared task: one context with its questions per line, and answers with their positions."""

from collections.abc import Iterator, Mapping
from typing import Any

from ctxlab.core.data import Record
from ctxlab.data.formats.base import Fields, Format, is_list_of, with_fields
from ctxlab.data.readers.tally import Tally


def recognises(fields: Fields) -> bool:
    """Return whether this is the ``header`` line, or has questions with ``detected_answers``."""
    return set(fields) - {"id"} == {"header"} or is_list_of(fields.get("qas"), "question", "detected_answers")


def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """Yield one record per context and none for the header; ends of ``char_spans`` are inclusive."""
    del task, tally
    if "qas" in record.fields:
        questions = [_question(one, record.fields["context"]) for one in record.fields["qas"]]
        yield with_fields(record, questions=questions)


def _question(given: Mapping[str, Any], context: str) -> dict[str, Any]:
    answers = [
        {"text": context[start : end + 1], "answer_start": start}
        for answer in given["detected_answers"]
        for start, end in answer["char_spans"]
    ]
    return {"id": given.get("qid"), "question": given["question"], "answers": answers}


FORMAT = Format("MRQA", frozenset({"qa"}), recognises, convert)
