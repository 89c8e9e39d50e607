"""What all probes share: lengths and depths in turn, and records made of samples."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ctxlab.core.contract import Component
from ctxlab.core.errors import UserError
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.haystack import HAYSTACKS

FRAME = 16
"""Words of a length that are left for special tokens, and for what tokenizers cut into several tokens."""

LONGEST = 1 << 20
"""Words of a text at most."""

FORMS = ("classification", "marking")


@dataclass(frozen=True, slots=True)
class Sample:
    """One text and what is asked of it."""

    text: str
    question: str
    answers: Sequence[str]
    spans: Sequence[Sequence[int]] = ()
    """First and last character (not included) of the answers where they stand in the text, else of the evidence."""
    choices: Sequence[str] = ()
    """All answers that there are; empty where the list is open."""


class Probe(Component, ABC):
    """One file a probe. A length is that of a whole prompt (as in RULER): words of text and question, and ``FRAME``."""

    def __init__(self, form: str, lengths: Sequence[int], depths: Sequence[float] | None, forms: Sequence[str]) -> None:
        """Take the form that an encoder answers in (one of ``forms``), and lengths and depths, which take turns.

        Without ``depths`` the evidence has no place, as it is everywhere.
        """
        if form not in forms:
            raise UserError(f"probe.form={form} is not one in which this probe is answered: use {' or '.join(forms)}.")
        if not lengths:
            raise UserError("probe.lengths=[] leaves no document: give word counts such as [64,512].")
        if depths is not None and not depths:
            raise UserError("probe.depths=[] leaves no place for the evidence: give shares such as [0,0.5,1].")
        for depth in depths or ():
            if not 0 <= depth <= 1:
                raise UserError(f"probe.depths has {depth}, which is no share of a text: give numbers from 0 to 1.")
        self._lengths, self._depths = list(lengths), [None] if depths is None else list(depths)

    @abstractmethod
    def least(self) -> int:
        """Words of the shortest text that this can be written in."""

    @abstractmethod
    def question_words(self) -> int:
        """Words of the question at most."""

    @abstractmethod
    def write(self, draw: Draw, split: str, num_words: int, depth: float) -> Sample:
        """One sample whose text has ``num_words`` words, or as few less as must be."""

    def check_lengths(self) -> None:
        """Refuse a length that is too short for this probe, or too long for any.

        The constructor cannot: what is too short hangs on the options of the probe, which it does not know yet.
        """
        least, shortest, longest = self.least() + self._around(), min(self._lengths), max(self._lengths)
        if shortest < least:
            raise UserError(f"probe.lengths has {shortest}, and this probe needs {least} words: give at least {least}.")
        if longest > LONGEST:
            raise UserError(f"probe.lengths has {longest}, and a text has {LONGEST:,} words at most.")

    def record(self, split: str, seed: int, index: int) -> dict[str, Any]:
        """Fields ``text, question, answers, spans, choices, all, length, depth``, a pure function of the arguments.

        Lengths take turns, and depths after each round of them.
        """
        length = self._lengths[index % len(self._lengths)]
        depth = self._depths[index // len(self._lengths) % len(self._depths)]
        sample = self.write(Draw(seed, split, index), split, length - self._around(), depth or 0.0)
        return {**_record(sample), "length": length, "depth": depth}

    def _around(self) -> int:
        """Words of a length that are not the text's."""
        return FRAME + self.question_words()


def _record(sample: Sample) -> dict[str, Any]:
    return {
        "text": sample.text,
        "question": sample.question,
        "answers": list(sample.answers),
        "spans": sample.spans,
        "choices": list(sample.choices),
        "all": True,
    }


def check_count(name: str, value: int, least: int, most: int | None = None) -> None:
    """Refuse a count outside its limits."""
    if value < least or (most is not None and value > most):
        limits = f"{least} or more" if most is None else f"{least} to {most}"
        raise UserError(f"probe.{name}={value} does not work: give {limits}.")


def check_haystack(kind: str) -> None:
    """Refuse a haystack that does not exist."""
    if kind not in HAYSTACKS:
        raise UserError(f"probe.haystack={kind} is not known: use {' or '.join(HAYSTACKS)}.")
