"""Checks the turns of dialogues, and formats them as the text that a model reads."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.tasks.records.candidates import list_of
from ctxlab.tasks.records.evidence import FARTHEST_WORDS, PLACE, evidence_field
from ctxlab.tasks.records.fields import check_characters, kind

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of one speaker."""

    speaker: str
    """A letter by order of first appearance, so that names of a corpus give nothing away."""
    text: str
    """The text on one line: every white space character becomes a blank, so that offsets are those of the record."""
    place: int
    """Index in the record, counted from 0."""


@dataclass(slots=True)
class EmptyTurns:
    """Counts the empty turns of all dialogues, which were left out."""

    count: int = 0
    _note: str = ""

    def add(self, more: int, notes: list[str]) -> None:
        """Count ``more``, and keep one note with the sum in ``notes``."""
        if not more:
            return
        if self._note in notes:
            notes.remove(self._note)
        self.count += more
        self._note = f"{self.count:,} turns of the dialogues are empty texts, and were left out."
        notes.append(self._note)


def turns_of(record: Mapping[str, Any], field: str, origin: str, task: str) -> tuple[list[Turn], int]:
    """Return the turns of a dialogue, and the number of empty ones that were left out (corpora of chats have some).

    Consecutive turns of a speaker are not joined.

    Args:
        record: A raw record.
        field: Its field with the turns.
        origin: Place of the record, for messages.
        task: Name of the task that reads the record.

    Raises:
        UserError: A turn is not ``{"speaker": …, "text": …}``, or all are empty.
    """
    names = dict[str | int, str]()
    turns, left_out = [], 0
    given = list_of(record, field, option="task.turns_field", origin=origin, task=task)
    for place, turn in enumerate(given):
        speaker, text = _checked(turn, f"{field}[{place}]", origin)
        if place and type(speaker) is not type(given[0]["speaker"]):
            raise UserError(
                f"The field '{field}[{place}].speaker' of {origin} mixes whole numbers and names with earlier turns: "
                "write all speakers in one way."
            )
        if not text.strip():
            left_out += 1
            continue
        letter = names.setdefault(speaker, LETTERS[len(names)] if len(names) < len(LETTERS) else f"S{len(names) + 1}")
        turns.append(Turn(letter, re.sub(r"\s", " ", text), place))
    if not turns:
        raise UserError(f"The field '{field}' of {origin} has empty texts only: give it words, or remove it.")
    return turns, left_out


def _checked(turn: Any, place: str, origin: str) -> tuple[str | int, str]:
    """Return the checked speaker and text of a turn."""
    if not isinstance(turn, Mapping) or not {"speaker", "text"} <= turn.keys():
        had = f"has only {', '.join(turn) or 'nothing'}" if isinstance(turn, Mapping) else f"is {kind(turn)}"
        raise UserError(f'The field \'{place}\' of {origin} {had}: give {{"speaker": …, "text": …}}.')
    speaker, text = turn["speaker"], turn["text"]
    if isinstance(speaker, bool) or not isinstance(speaker, str | int) or speaker == "":
        what = "an empty text" if speaker == "" else kind(speaker)
        raise UserError(f"The field '{place}.speaker' of {origin} is {what}: give a name or a whole number.")
    if not isinstance(text, str):
        raise UserError(f"The field '{place}.text' of {origin} is {kind(text)}: give a text.")
    check_characters(text, origin)
    return speaker, text


def format_turns(turns: Sequence[Turn]) -> str:
    """Return one line per turn, with the speaker first: ``A: hello``."""
    return "\n".join(f"{turn.speaker}: {turn.text}" for turn in turns)


def probes_of(record: Mapping[str, Any], turns: Sequence[Turn], origin: str) -> list[dict[str, Any]] | None:
    """Return the checked pieces of evidence in turns that are not empty; None where the record has no ``probes``."""
    if record.get("probes") is None:
        return None
    texts = {turn.place: turn.text for turn in turns}
    pieces = evidence_field(record, FARTHEST_WORDS, origin, needs=("turn", *PLACE))["probes"]
    for piece in pieces:
        if piece["turn"] in texts:
            evidence_field({"probes": [piece]}, len(texts[piece["turn"]]), origin)
    return list(pieces)


def places_in(turns: Sequence[Turn], probes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return ``probes``, whose ``start`` and ``end`` are offsets in a ``turn``, with offsets in ``format_turns``."""
    starts, start = {}, 0
    for turn in turns:
        starts[turn.place] = start + len(turn.speaker) + 2
        start = starts[turn.place] + len(turn.text) + 1
    return [
        {**probe, "start": starts[probe["turn"]] + probe["start"], "end": starts[probe["turn"]] + probe["end"]}
        for probe in probes
        if probe["turn"] in starts
    ]


def asked(num_turns: int, wanted: int) -> list[int]:
    """Return the indices of the turns to predict, never the first: the last turn of each of ``wanted`` equal parts."""
    return sorted({max(num_turns * (part + 1) // wanted - 1, 1) for part in range(wanted)})


def other_speaker(turns: Sequence[Turn]) -> str:
    """Return the previous speaker other than the last one; a new letter where there is only one speaker."""
    last = turns[-1].speaker
    return next((turn.speaker for turn in reversed(turns) if turn.speaker != last), "B" if last == "A" else "A")
