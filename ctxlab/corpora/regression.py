"""Generated school reports, whose number is the grade of the relevant pupil, stated somewhere in a long text.

How texts state it, and which of them are ambiguous, is that of ``grammar.subject``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.subject import about

WORDS = {"1": "one", "2": "two", "3": "three", "4": "four", "5": "five", "6": "six"}
"""Grades, the highest is the best."""

GRADES: Mapping[str, Sequence[str]] = {
    grade: (
        f"the teacher gave <x> {word} points .",
        f"<x> was given {word} of six points .",
        f"the essay of <x> is worth {word} points .",
    )
    for grade, word in WORDS.items()
}
"""Sentences with the grade of ``<x>``, by grade."""

SUBJECTS: Sequence[str] = (
    "this report is about the essay of <x> .",
    "only the essay of <x> matters here .",
    "these pages were written for <x> alone .",
)
"""Sentences that state whose grade an ambiguous document is about."""


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``text, score, probes``, see ``grammar.subject.about``.

    Raises:
        UserError: No distance fits the document.
    """
    text, grade, probes = about(brief, index, GRADES, SUBJECTS)
    return {"text": text, "score": float(grade), "probes": probes}
