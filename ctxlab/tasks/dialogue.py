"""Dialogue: the next turn of a conversation, selected among candidates or generated."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import Document
from ctxlab.tasks.forms.ranking import Ranking, candidate_documents
from ctxlab.tasks.generative.dialogue import GenerativeDialogue
from ctxlab.tasks.generative.prompts import Prompt
from ctxlab.tasks.records.candidates import bare, candidates_of
from ctxlab.tasks.records.turns import EmptyTurns, Turn, asked, format_turns, places_in, probes_of, turns_of
from ctxlab.text.language import checked

MODES = ("choose", "write")
"""Values of ``task.mode``."""

TRIES = 256
"""Number of turns drawn at random before the whole pool is shuffled."""


class Dialogue(Ranking):
    """Response selection for encoders; other models generate the turn (``generative.dialogue.GenerativeDialogue``).

    Selection follows Lowe et al. 2015, arXiv:1506.08909 (one true turn among ten, recall@k):

    - The history is all previous turns, one line each that begins with the speaker's letter (``A: hello``); consecutive
      turns of a speaker are not joined. Candidates are plain texts.
    - There is one example per dialogue, its last turn; with ``turns_per_dialogue=n`` the last turns of n equal parts.
    - ``candidates`` of a record include the last turn. Where it has none, the true turn is mixed with turns of other
      dialogues of the same split, drawn by ``candidates_seed`` and the dialogue's id only: the same in all runs.
      Deviation: no text occurs twice, so that the true turn is never among the distractors.
    """

    name = "dialogue"
    record_fields = (("turns",), ("messages",), ("conversations",), ("instruction", "output"))
    metric = "choosing"

    def __init__(
        self,
        mode: str | None = None,
        turns_field: str = "turns",
        candidates_field: str = "candidates",
        candidates: int = 10,
        candidates_seed: int = 0,
        turns_per_dialogue: int = 1,
        negatives: int | None = 4,
        candidate_tokens: int = 64,
        combine: str = "mean",
        instruction: str = "",
        shots: int = 0,
        example_words: int = 120,
        decoding: Mapping[str, Any] | None = None,
        language: str | None = None,
    ) -> None:
        """Check and store the options.

        Args:
            mode: ``choose`` ranks candidates, ``write`` generates the turn; None decides by the kind of model.
            turns_field: Field of a record with its turns.
            candidates_field: Field with candidates for the last turn; may be missing.
            candidates: Number of candidates where a record has none, at least 2.
            candidates_seed: Seed that these are drawn by, 0 or more; not the run's.
            turns_per_dialogue: Turns to predict per dialogue, at least 1.
            negatives: Negatives per true candidate that an epoch trains on; None trains on all.
            candidate_tokens: Maximum tokens of a candidate; a longer one is truncated.
            combine: How predictions of windows are combined: ``mean``, ``max`` or ``attention``.
            instruction: Of a prompt: text before every window.
            shots: Solved training documents before every window of a decoder, 0 or more, drawn by seed.
            example_words: Words shown of each solved document, at least 1.
            decoding: Settings of generation, the keys of ``conf/task/decoding``; None for greedy search.
            language: Two-letter code for language-specific rules; None guesses from the script.
        """
        if mode is not None and mode not in MODES:
            raise UserError(f"task.mode={mode} is not one of {', '.join(MODES)}, or null to choose by the model.")
        if candidates < 2:
            raise UserError(f"task.candidates={candidates} is too small to choose from: give at least 2.")
        if candidates_seed < 0:
            raise UserError(f"task.candidates_seed={candidates_seed} is negative: give 0 or more.")
        if turns_per_dialogue < 1:
            raise UserError(f"task.turns_per_dialogue={turns_per_dialogue} is too small: give at least 1.")
        super().__init__(combine, negatives, candidate_tokens)
        self.language = checked(language)
        self._turns_field, self._candidates_field = turns_field, candidates_field
        self._num_candidates, self._seed = candidates, candidates_seed
        self._turns_per_dialogue = turns_per_dialogue
        self._pool: list[tuple[str, str]] = []
        self._empty = EmptyTurns()
        self._mode = mode
        prompt = Prompt(instruction, "", shots, example_words)
        self._generative = GenerativeDialogue(turns_field, turns_per_dialogue, prompt, decoding)
        self.primary_metric = "mrr"

    def for_kind(self, kind: str) -> Any:
        """Return the selecting or the generating form, by ``mode`` or else by the ``kind`` of model."""
        mode = self._mode or ("choose" if kind in self.kinds else "write")
        return self if mode == "choose" else self._generative.for_kind(kind)

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check turns and candidates of a record.

        With ``gold=False`` a record with candidates may end before the turn to predict: its last turn is the one to
        predict only where it is among the candidates.
        """
        turns, left_out = turns_of(record, self._turns_field, origin, self.name)
        self._empty.add(left_out, self.notes)
        fields: dict[str, Any] = {"turns": turns, "probes": probes_of(record, turns, origin)}
        has_next = True
        if record.get(self._candidates_field) is not None:
            fields["candidates"] = candidates_of(
                record, self._candidates_field, option="task.candidates_field", origin=origin, task=self.name
            )
            has_next = self._has_next(turns[-1], fields["candidates"], origin, gold=gold)
        fields["has_next"] = has_next
        if has_next and len(turns) < 2:
            raise UserError(
                f"The field '{self._turns_field}' of {origin} has only one non-empty turn and thus no history: "
                "give at least 2 turns, or remove the dialogue."
            )
        return Document(str(record.get("id", origin)), fields, origin)

    def _has_next(self, last: Turn, candidates: Sequence[str], origin: str, *, gold: bool) -> bool:
        """Whether the last turn is the one to predict, which it must be with ``gold``."""
        is_there = bare(last.text) in map(bare, candidates)
        if gold and not is_there:
            raise UserError(
                f"The field '{self._candidates_field}' of {origin} does not contain the last turn "
                f"({last.text.strip()[:60]!r}), so that no candidate is right: add it."
            )
        if gold and len(candidates) < 2:
            raise UserError(
                f"The field '{self._candidates_field}' of {origin} has one candidate: give at least 2 to choose from."
            )
        return is_there

    def collect(self, documents: Sequence[Document]) -> None:
        """Collect the turns of all dialogues of a split, to draw candidates from."""
        self._pool = [(document.id, turn.text) for document in documents for turn in document.fields["turns"]]

    def expand(self, document: Document) -> list[Document]:
        """Return one document per candidate of each turn to predict."""
        turns: list[Turn] = document.fields["turns"]
        if not document.fields["has_next"]:
            return self._apart(document, turns, document.fields["candidates"], None)
        if "candidates" in document.fields:
            return self._choice(document, len(turns) - 1, document.fields["candidates"])
        return [
            part
            for place in asked(len(turns), self._turns_per_dialogue)
            for part in self._choice(document, place, self._drawn(document, place))
        ]

    def _choice(self, document: Document, place: int, candidates: Sequence[str]) -> list[Document]:
        turns = document.fields["turns"]
        labels = [int(bare(text) == bare(turns[place].text)) for text in candidates]
        return self._apart(document, turns[:place], candidates, labels)

    def _apart(
        self, document: Document, history: Sequence[Turn], candidates: Sequence[str], labels: Sequence[int] | None
    ) -> list[Document]:
        probes = document.fields["probes"]
        more = {} if probes is None else {"probes": places_in(history, probes)}
        turn = history[-1].place + 2  # the next one, counted from 1
        group, text = f"{document.id}@{turn}", format_turns(history)
        return candidate_documents(
            document.id,
            group,
            history=text,
            candidates=candidates,
            labels=labels,
            origin=document.origin,
            turn=turn,
            **more,
        )

    def _drawn(self, document: Document, place: int) -> list[str]:
        """Draw turns of other dialogues and shuffle the true turn among them."""
        true = document.fields["turns"][place].text
        digest = hashlib.sha256(f"{document.id}@{place}".encode()).digest()
        random = np.random.default_rng((self._seed, int.from_bytes(digest[:8], "little")))
        found = {bare(true).casefold(): true}
        for index in _order(random, len(self._pool)):
            name, text = self._pool[index]
            if name != document.id:
                found.setdefault(bare(text).casefold(), text)
            if len(found) == self._num_candidates:
                texts = list(found.values())
                return [texts[i] for i in random.permutation(len(texts))]
        raise UserError(
            f"task.candidates={self._num_candidates} needs {self._num_candidates - 1} different turns of other "
            f"dialogues besides the true one of {document.origin}, and its split has {len(found) - 1}: lower it, add "
            f"dialogues, or give each record a list '{self._candidates_field}'."
        )


def _order(random: np.random.Generator, count: int) -> Iterator[int]:
    """Yield every number below ``count``, some repeatedly; the first ``TRIES`` come without shuffling all."""
    yield from random.integers(count, size=TRIES).tolist()
    yield from random.permutation(count).tolist()
