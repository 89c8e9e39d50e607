"""Dialogue in writing: the next turn of a conversation by a model that writes."""

from collections.abc import Mapping, Sequence
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.types import Document
from ctxlab.tasks.records.turns import EmptyTurns, Turn, asked, other_speaker, places_in, turns_of, written
from ctxlab.tasks.written.base import Writing
from ctxlab.tasks.written.prompts import Prompt, line_ends
from ctxlab.text.units import word_spans


class Replying(Writing):
    """The next turn behind all turns before it, which are a line each with their speaker's letter in front.

    A decoder goes on behind the letter of the speaker whose turn it is, up to the end of a line. Of a history of
    several windows the last one is gone on from, so that what earlier windows hold is not known.
    """

    name = "dialogue"
    metric = "replies"
    primary_metric = "perplexity"
    lower_is_better = True
    scores_target = True

    def __init__(
        self, turns_field: str, turns_per_dialogue: int, prompt: Prompt, decoding: Mapping[str, Any] | None
    ) -> None:
        """Take the field of the turns, how many are asked for of each dialogue, and how text is written."""
        super().__init__(decoding, prompt, "last")
        self._turns_field, self._turns_per_dialogue = turns_field, turns_per_dialogue
        self._empty = EmptyTurns()

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Turns of a record, checked; with ``gold=False`` the turn that is asked for comes behind all of them."""
        turns, left_out = turns_of(record, self._turns_field, origin, self.name)
        self._empty.add(left_out, self.notes)
        if gold and len(turns) < 2:
            raise UserError(
                f"The field '{self._turns_field}' of {origin} has one turn that says something, so that nothing comes "
                "before the next one: give at least 2 turns, or take the dialogue out."
            )
        fields = {"turns": turns, "probes": record.get("probes") or (), "has_next": gold}
        return Document(str(record.get("id", origin)), fields, origin)

    def split(self, document: Document) -> list[Document]:
        """One document a turn that is asked for."""
        turns: list[Turn] = document.fields["turns"]
        if not document.fields["has_next"]:
            return [self._part(document, turns, None)]
        places = asked(len(turns), self._turns_per_dialogue)
        return [self._part(document, turns[:place], turns[place]) for place in places]

    def _part(self, document: Document, history: Sequence[Turn], reply: Turn | None) -> Document:
        number = history[-1].place + 2  # the one behind, from 1 on
        fields: dict[str, Any] = {
            "history": written(history),
            "speaker": other_speaker(history) if reply is None else reply.speaker,
            "group": document.id,
            "probes": places_in(history, document.fields["probes"]),
        }
        if reply is not None:
            fields["reply"] = reply.text
        return Document(f"{document.id}@{number}", fields, document.origin)

    def source(self, document: Document) -> str:
        """The history."""
        return str(document.fields["history"])

    def target(self, document: Document) -> str | None:
        """The turn that came next."""
        return document.fields.get("reply")

    def cue(self, document: Document) -> str:
        """The letter of the speaker whose turn it is, as in the history."""
        return f"{document.fields['speaker']}:"

    def excerpt(self, document: Document, num_words: int) -> str:
        """The end of an example's history, lines kept."""
        text = self.source(document)
        spans = word_spans(text)[-num_words:]
        return text[spans[0][0] :] if spans else ""

    def more_stops(self, tokenizer: Any) -> tuple[int, ...]:
        """A turn is one line."""
        return line_ends(tokenizer)
