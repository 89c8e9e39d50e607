"""Shared base of probes: cycles through lengths and depths, and makes records of samples."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ctxlab.core.contract import Component
from ctxlab.core.errors import UserError
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.haystack import HAYSTACKS

FRAME = 16
"""Words of a length that are reserved for special tokens, and for words that are several tokens."""

LONGEST = 1 << 20
"""Maximum number of words of a text."""

FORMS = ("classification", "marking")


@dataclass(frozen=True, slots=True)
class Sample:
    """One text with its question and answers."""

    text: str
    question: str
    answers: Sequence[str]
    spans: Sequence[Sequence[int]] = ()
    """First and last character (not included) of the answers if they are in the text, else of the evidence."""
    choices: Sequence[str] = ()
    """All possible answers; empty where they are open."""


class Probe(Component, ABC):
    """A probe; each has its own file. A length includes text, question and ``FRAME`` words, as prompts do in RULER."""

    def __init__(self, form: str, lengths: Sequence[int], depths: Sequence[float] | None, forms: Sequence[str]) -> None:
        """Store the form of an encoder's answer, and the lengths and depths, which documents cycle through.

        Args:
            form: How an encoder answers, one of ``forms``.
            lengths: Lengths in words.
            depths: Relative positions of the evidence, 0 to 1; None where it is spread over the text.
            forms: Forms that the probe supports.

        Raises:
            UserError: A value is not valid.
        """
        if form not in forms:
            raise UserError(f"probe.form={form} does not work with this probe: use {' or '.join(forms)}.")
        if not lengths:
            raise UserError("probe.lengths=[] is empty: give word counts such as [64,512].")
        if depths is not None and not depths:
            raise UserError("probe.depths=[] is empty: give relative positions such as [0,0.5,1].")
        for depth in depths or ():
            if not 0 <= depth <= 1:
                raise UserError(
                    f"probe.depths has {depth}, which is not a relative position: give numbers from 0 to 1."
                )
        self._lengths, self._depths = list(lengths), [None] if depths is None else list(depths)

    @abstractmethod
    def least(self) -> int:
        """Return the number of words of the shortest possible text."""

    @abstractmethod
    def question_words(self) -> int:
        """Return the maximum number of words of the question."""

    @abstractmethod
    def write(self, draw: Draw, split: str, num_words: int, depth: float) -> Sample:
        """Return one sample whose text has ``num_words`` words, or slightly fewer.

        Args:
            draw: Random generator.
            split: Split, which has its own names.
            num_words: Words of the text.
            depth: Relative position of the evidence, 0 to 1.
        """

    def check_lengths(self) -> None:
        """Raise UserError where a length is too short for this probe, or too long for any.

        The base constructor cannot check this, as the shortest length depends on the options of the subclass.
        """
        least, shortest, longest = self.least() + self._around(), min(self._lengths), max(self._lengths)
        if shortest < least:
            raise UserError(f"probe.lengths has {shortest}, and this probe needs {least} words: give at least {least}.")
        if longest > LONGEST:
            raise UserError(f"probe.lengths has {longest}, and a text has {LONGEST:,} words at most: give less.")

    def record(self, split: str, seed: int, index: int) -> dict[str, Any]:
        """Return the fields ``text, question, answers, spans, choices, all, length, depth`` of a document.

        They depend only on the arguments. Documents cycle through the lengths, and after each cycle to the next depth.
        """
        length = self._lengths[index % len(self._lengths)]
        depth = self._depths[index // len(self._lengths) % len(self._depths)]
        sample = self.write(Draw(seed, split, index), split, length - self._around(), depth or 0.0)
        return {**_record(sample), "length": length, "depth": depth}

    def _around(self) -> int:
        """Return the number of words of a length that are not of the text."""
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
    """Raise UserError where a count is outside its limits.

    Args:
        name: Its key, without ``probe.``.
        value: The count.
        least: Smallest valid count.
        most: Largest valid count; None for no limit.
    """
    if value < least or (most is not None and value > most):
        limits = f"{least} or more" if most is None else f"{least} to {most}"
        raise UserError(f"probe.{name}={value} is out of range: give {limits}.")


def check_haystack(kind: str) -> None:
    """Raise UserError where the kind of haystack is not known."""
    if kind not in HAYSTACKS:
        raise UserError(f"probe.haystack={kind} is not known: use {' or '.join(HAYSTACKS)}.")
