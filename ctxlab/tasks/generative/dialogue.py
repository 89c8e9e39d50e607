"""Response generation: the next turn of a conversation by a generative model."""

from collections.abc import Mapping, Sequence
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.types import Document
from ctxlab.tasks.generative.base import GenerativeTask
from ctxlab.tasks.generative.prompts import Prompt, line_ends
from ctxlab.tasks.records.turns import (
    EmptyTurns,
    Turn,
    asked,
    format_turns,
    other_speaker,
    places_in,
    probes_of,
    turns_of,
)
from ctxlab.text.units import word_spans


class GenerativeDialogue(GenerativeTask):
    """The next turn, generated after all previous turns: one line each, preceded by the speaker's letter.

    A decoder continues after the letter of the next speaker, up to the end of a line. Of a history of several windows
    only the last one is continued, so that the content of earlier windows is not used.
    """

    name = "dialogue"
    metric = "replies"
    primary_metric = "perplexity"
    lower_is_better = True
    scores_target = True

    def __init__(
        self, turns_field: str, turns_per_dialogue: int, prompt: Prompt, decoding: Mapping[str, Any] | None
    ) -> None:
        """Store the options.

        Args:
            turns_field: Field of a record with its turns.
            turns_per_dialogue: Turns to predict per dialogue, at least 1.
            prompt: Text around every window.
            decoding: Settings of generation, the keys of ``conf/task/decoding``; None for greedy search.
        """
        super().__init__(decoding, prompt, "last")
        self._turns_field, self._turns_per_dialogue = turns_field, turns_per_dialogue
        self._empty = EmptyTurns()

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check the turns of a record; with ``gold=False`` the turn to predict comes after all of them."""
        turns, left_out = turns_of(record, self._turns_field, origin, self.name)
        self._empty.add(left_out, self.notes)
        if gold and len(turns) < 2:
            raise UserError(
                f"The field '{self._turns_field}' of {origin} has only one non-empty turn and thus no history: "
                "give at least 2 turns, or remove the dialogue."
            )
        fields = {"turns": turns, "probes": probes_of(record, turns, origin) or (), "has_next": gold}
        return Document(str(record.get("id", origin)), fields, origin)

    def expand(self, document: Document) -> list[Document]:
        """Return one document per turn to predict."""
        turns: list[Turn] = document.fields["turns"]
        if not document.fields["has_next"]:
            return [self._part(document, turns, None)]
        places = asked(len(turns), self._turns_per_dialogue)
        return [self._part(document, turns[:place], turns[place]) for place in places]

    def _part(self, document: Document, history: Sequence[Turn], reply: Turn | None) -> Document:
        number = history[-1].place + 2  # the next one, counted from 1
        fields: dict[str, Any] = {
            "history": format_turns(history),
            "speaker": other_speaker(history) if reply is None else reply.speaker,
            "group": document.id,
            "probes": places_in(history, document.fields["probes"]),
        }
        if reply is not None:
            fields["reply"] = reply.text
        return Document(f"{document.id}@{number}", fields, document.origin)

    def source(self, document: Document) -> str:
        """Return the history."""
        return str(document.fields["history"])

    def target(self, document: Document) -> str | None:
        """Return the turn that came next."""
        return document.fields.get("reply")

    def cue(self, document: Document) -> str:
        """Return the letter of the next speaker, as in the history."""
        return f"{document.fields['speaker']}:"

    def excerpt(self, document: Document, num_words: int) -> str:
        """Return the end of a few-shot example's history, with its line ends."""
        text = self.source(document)
        spans = word_spans(text)[-num_words:]
        return text[spans[0][0] :] if spans else ""

    def more_stops(self, tokenizer: Any) -> tuple[int, ...]:
        """Return the line ends: a turn is one line."""
        return line_ends(tokenizer)
