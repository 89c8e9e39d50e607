"""Letters of customers, whose class is what the writer wants, stated somewhere in a long text.

How texts state it, and which of them are ambiguous, is that of ``grammar.subject``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.subject import about

TASK = "classification"
"""Task that reads these documents."""

INTENTS: Mapping[str, Sequence[str]] = {
    "cancel": (
        "<x> wishes to call off the order .",
        "please strike the order of <x> from your books .",
        "<x> no longer wants the goods .",
    ),
    "refund": (
        "<x> asks for the money back .",
        "please return to <x> what was paid .",
        "<x> wants to be paid back in full .",
    ),
    "change_address": (
        "<x> has moved to another town .",
        "from now on write to <x> at the new house .",
        "the goods for <x> should go to another street .",
    ),
    "order_status": (
        "<x> would like to know where the goods are .",
        "when will the parcel of <x> arrive ?",
        "<x> is still waiting for the delivery .",
    ),
}
"""Sentences with what ``<x>`` wants, by class."""

SUBJECTS: Sequence[str] = (
    "this letter was written for <x> .",
    "only the wish of <x> matters here .",
    "these lines are sent by <x> .",
)
"""Sentences that state whose letter an ambiguous document is."""


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``text, label, probes``, see ``grammar.subject.about``; classes alternate.

    Raises:
        UserError: No distance fits the document.
    """
    text, label, probes = about(brief, index, INTENTS, SUBJECTS)
    return {"text": text, "label": label, "probes": probes}
