"""An explained document, and its line of ``explanations.jsonl``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctxlab.core.explanation import SENTENCE, TOKEN, WORD, Asked, Attribution, Target
from ctxlab.core.types import DoubleArray, IntArray
from ctxlab.evaluation.answerer import Answer
from ctxlab.runtime.explaining.document import ReadDocument

DIGITS = 6
"""Significant digits of values that are written."""


@dataclass(frozen=True, eq=False)
class Explained:
    """A document, its answer, and what was attributed to its parts."""

    id: str
    answer: Answer
    asked: Asked
    explanation: str
    """Name of the mechanism."""
    subject: ReadDocument
    targets: Sequence[Target]
    attributions: Sequence[Attribution]
    """One of each target."""
    left_out: int
    """Further parts of the answer that were not explained."""

    def places(self, tokens: IntArray) -> tuple[int, int]:
        """Return the first character of some tokens in the text, and the one after their last."""
        encoded = self.subject.encoded
        if self.asked.offsets is None:
            start, end = int(encoded.starts[tokens[0]]), int(encoded.ends[tokens[-1]])
            covered = self.asked.text[start:end]  # some tokens begin with a blank
            return start + len(covered) - len(covered.lstrip()) if covered.strip() else start, end
        return int(self.asked.offsets[encoded.word_ids[tokens[0]]][0]), int(
            self.asked.offsets[encoded.word_ids[tokens[-1]]][1]
        )

    def values(self, attribution: Attribution, unit: str) -> DoubleArray | None:
        """Return the values of words or sentences, sums over smaller units; None where only larger ones have values."""
        own = self.subject.units
        order = (TOKEN, WORD, SENTENCE)
        if order.index(attribution.unit) > order.index(unit):
            return None
        if attribution.unit == unit:
            return attribution.values
        by_token = np.zeros(self.subject.num_tokens)
        for tokens, value in zip(own[attribution.unit], attribution.values, strict=True):
            by_token[tokens[0]] += value
        return np.array([by_token[tokens].sum() for tokens in own[unit]])


def line(explained: Explained) -> dict[str, Any]:
    """Return an explained document as plain data, as ``ctxlab explain`` writes it.

    ``record`` and ``coverage`` are those of ``ctxlab predict`` and the server; characters count in ``text``.
    """
    found: dict[str, Any] = {
        "id": explained.id,
        "explanation": explained.explanation,
        "record": explained.answer.record,
        "coverage": explained.answer.coverage.plain(),
        "text": explained.asked.text,
        "targets": [_target(explained, *pair) for pair in zip(explained.targets, explained.attributions, strict=True)],
    }
    if explained.asked.nothing:
        found["nothing"] = explained.asked.nothing
    if explained.left_out:
        found["targets_left_out"] = explained.left_out
    return found


def _target(explained: Explained, target: Target, attribution: Attribution) -> dict[str, Any]:
    """Return one target as plain data.

    Args:
        explained: Its document.
        target: The target.
        attribution: What was attributed.
    """
    marked = [list(explained.places(target.marked))] if len(target.marked) else []
    evidence = [list(explained.places(tokens)) for tokens in target.evidence if len(tokens)]
    return {
        "name": target.name,
        "score": _short(attribution.score),
        "base_score": _short(attribution.base),
        "added_tokens": _short(attribution.added),
        **{name: _short(value) if isinstance(value, float) else value for name, value in attribution.facts.items()},
        "marked": marked,
        "evidence": evidence,
        "words": _units(explained, attribution, WORD),
        "sentences": _units(explained, attribution, SENTENCE),
    }


def _units(explained: Explained, attribution: Attribution, unit: str) -> list[dict[str, Any]] | None:
    values = explained.values(attribution, unit)
    if values is None:
        return None
    found = []
    for number, (tokens, value) in enumerate(zip(explained.subject.units[unit], values.tolist(), strict=True)):
        start, end = explained.places(tokens)
        one = {"start": start, "end": end, "value": _short(value)}
        if attribution.unit == unit and attribution.errors is not None:
            one["standard_error"] = _short(float(attribution.errors[number]))
        found.append(one)
    return found


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")
