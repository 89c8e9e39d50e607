"""Reviews of inns, whose class is what the guest thought, stated somewhere in a long text.

How texts state it, and which of them are ambiguous, is that of ``grammar.subject``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.subject import about

TASK = "classification"
"""Task that reads these documents."""

OPINIONS: Mapping[str, Sequence[str]] = {
    "negative": (
        "the stay was a great disappointment to <x> .",
        "<x> will never come back .",
        "<x> found the rooms dreadful .",
        "nothing was right , said <x> .",
    ),
    "neutral": (
        "the stay was neither good nor bad to <x> .",
        "<x> may or may not come back .",
        "<x> found the rooms as one expects them .",
        "it was an inn like any other , said <x> .",
    ),
    "positive": (
        "the stay was a great delight to <x> .",
        "<x> will gladly come back .",
        "<x> found the rooms lovely .",
        "everything was perfect , said <x> .",
    ),
}
"""Sentences with the opinion of ``<x>``, by class."""

SUBJECTS: Sequence[str] = (
    "this review was written by <x> .",
    "only the opinion of <x> counts here .",
    "these lines are by <x> .",
)
"""Sentences that state whose review an ambiguous document is."""


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``text, label, probes``, see ``grammar.subject.about``; classes alternate.

    Raises:
        UserError: No distance fits the document.
    """
    text, label, probes = about(brief, index, OPINIONS, SUBJECTS)
    return {"text": text, "label": label, "probes": probes}
