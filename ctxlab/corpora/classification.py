"""Generated court reports, whose class is the relevant verdict, stated somewhere in a long text.

How texts state it, and which of them are ambiguous, is that of ``grammar.subject``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.subject import about

VERDICTS: Mapping[str, Sequence[str]] = {
    "acquitted": (
        "the court acquitted <x> .",
        "<x> was acquitted .",
        "the jury found <x> innocent .",
        "<x> left the court a free man .",
    ),
    "convicted": (
        "the court convicted <x> .",
        "<x> was convicted .",
        "the jury found <x> guilty .",
        "<x> left the court in chains .",
    ),
    "adjourned": (
        "the court adjourned the case of <x> .",
        "the hearing of <x> was adjourned .",
        "the jury could not agree about <x> .",
        "<x> must wait for another hearing .",
    ),
}
"""Sentences with the verdict on ``<x>``, by class."""

SUBJECTS: Sequence[str] = (
    "this report is about the case of <x> .",
    "only the case of <x> matters here .",
    "these pages were written for <x> alone .",
)
"""Sentences that state whose case an ambiguous document is about."""


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``text, label, probes``, see ``grammar.subject.about``; classes alternate.

    Raises:
        UserError: No distance fits the document.
    """
    text, label, probes = about(brief, index, VERDICTS, SUBJECTS)
    return {"text": text, "label": label, "probes": probes}
