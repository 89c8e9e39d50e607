"""Requests to a company, whose class is the department that has to answer, which follows from a sentence of the text.

How texts state it, and which of them are ambiguous, is that of ``grammar.subject``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.subject import about

TASK = "classification"
"""Task that reads these documents."""

MATTERS: Mapping[str, Sequence[str]] = {
    "billing": (
        "<x> was charged twice for the same thing .",
        "the sum on the bill of <x> is wrong .",
        "<x> has not received the invoice .",
    ),
    "repairs": (
        "the machine of <x> makes a strange noise .",
        "the engine of <x> does not start any more .",
        "<x> has a wheel that is broken .",
    ),
    "sales": (
        "<x> would like to buy forty more of them .",
        "<x> asks for a price for the whole street .",
        "<x> wants to see the new catalogue .",
    ),
    "staff": (
        "<x> would like to work for the company .",
        "<x> sends the papers for the vacant post .",
        "the wages of <x> should be discussed .",
    ),
}
"""Sentences with the matter of ``<x>``, by the department that answers it."""

SUBJECTS: Sequence[str] = (
    "this request comes from <x> .",
    "only the matter of <x> is meant here .",
    "please answer <x> alone .",
)
"""Sentences that state whose request an ambiguous document is."""


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``text, label, probes``, see ``grammar.subject.about``; classes alternate.

    Raises:
        UserError: No distance fits the document.
    """
    text, label, probes = about(brief, index, MATTERS, SUBJECTS)
    return {"text": text, "label": label, "probes": probes}
