"""CoQA: a story and consecutive questions with free-form answers, each with a rationale in the story."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctxlab.core.data import Record
from ctxlab.data.formats.base import Fields, Format, is_list_of, with_fields
from ctxlab.data.formats.yes_no import ANSWERS
from ctxlab.data.readers.tally import Tally
from ctxlab.text.units import squeezed

READ = "Each question of CoQA is preceded by the previous question and its answer."
YES_NO = "{n} questions of CoQA have the answer yes or no, which does not occur in the text, and were left out."
FREE = "{n} questions of CoQA have a free-form answer that does not occur in the text, and were left out."


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with its answer and the characters of the rationale; -1 where the story has no answer."""

    question: str
    answer: str | None
    start: int
    end: int


def recognises(fields: Fields) -> bool:
    """Return whether there is a ``story`` with ``questions``."""
    return isinstance(fields.get("story"), str) and isinstance(fields.get("questions"), list)


def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """Yield one record per story; answers are located in their rationale, ignoring case."""
    del task
    story, turns, asked = record.fields["story"], list(_turns(record.fields)), []
    for index, turn in enumerate(turns):
        before = turns[index - 1] if index else None
        question = turn.question if before is None else f"{before.question} {before.answer or ''} {turn.question}"
        given: dict[str, Any] = {"id": str(index + 1), "question": squeezed(question)}
        if turn.answer is None:
            asked.append(given)
        elif turn.start < 0:
            asked.append({**given, "answers": []})
        elif turn.answer.strip(" .").casefold() in ANSWERS:
            tally.add(YES_NO)
        elif (place := story[turn.start : turn.end].lower().find(turn.answer.strip(" .").lower())) < 0:
            tally.add(FREE)
        else:
            start = turn.start + place
            text = story[start : start + len(turn.answer.strip(" ."))]
            asked.append({**given, "answers": [{"text": text, "answer_start": start}]})
    if asked:
        tally.add(READ, len(asked))
        yield with_fields(Record({"id": record.fields.get("id")}, record.origin), context=story, questions=asked)


def _turns(fields: Fields) -> Iterator[Turn]:
    """Yield the turns of the published files, or of the hub, which has a list for each field of the answers."""
    questions, answers = fields["questions"], fields.get("answers")
    if isinstance(answers, Mapping):
        names = ("input_text", "answer_start", "answer_end")
        rows: Sequence[Any] = list(zip(*(answers[name] for name in names), strict=True))
    elif is_list_of(answers, "input_text", "span_start", "span_end"):
        rows = [(one["input_text"], one["span_start"], one["span_end"]) for one in answers or ()]
    else:
        rows = [(None, -1, -1)] * len(questions)
    for question, row in zip(questions, rows, strict=True):
        yield Turn(question["input_text"] if isinstance(question, Mapping) else question, *row)


FORMAT = Format("CoQA", frozenset({"qa"}), recognises, convert)
