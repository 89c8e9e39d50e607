"""Generated letters with two labels: the topic of the relevant person's speech, and what people thought of it.

Each label is stated as ``grammar.subject`` does it; in an *ambiguous* letter that is so for one of the two, and the
other one is stated once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.grammar.placing import Page, fixed_sentence
from ctxlab.corpora.grammar.subject import put_about

TOPICS: Mapping[str, Sequence[str]] = {
    "farming": ("<x> spoke about wheat .", "the speech of <x> was about cattle .", "<x> talked of the harvest ."),
    "shipping": ("<x> spoke about the harbour .", "the speech of <x> was about boats .", "<x> talked of the sea ."),
    "law": ("<x> spoke about the courts .", "the speech of <x> was about judges .", "<x> talked of the verdict ."),
}
"""Sentences with the topic of ``<x>``, by label."""

OPINIONS: Mapping[str, Sequence[str]] = {
    "positive": ("everybody praised <x> .", "they liked every word of <x> .", "the hall cheered <x> ."),
    "negative": ("everybody blamed <x> .", "they hated every word of <x> .", "the hall hissed at <x> ."),
}
"""Sentences with the opinion on ``<x>``, by label."""

STATEMENTS = {"topic": TOPICS, "sentiment": OPINIONS}

SUBJECTS: Sequence[str] = (
    "this letter is about <x> .",
    "only <x> matters in this letter .",
    "these pages were written for <x> alone .",
)
"""Sentences that state whom an ambiguous letter is about."""


TRIES = 100
"""Pages that are drawn until both labels fit a short document."""


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``text, topic, sentiment, probes``; every pair of labels is equally frequent.

    ``probes`` has the evidence of each label, see ``grammar.subject.about``. Documents that are ambiguous are so in one
    of the labels, each equally often.

    Raises:
        UserError: No distance, or not both labels, fit the document.
    """
    fitting = brief.fitting_distances(needed=bool(brief.ambiguous_share))
    draw, number = brief.draw(index), index + brief.seed
    labels = {"topic": list(TOPICS)[number % len(TOPICS)], "sentiment": list(OPINIONS)[number % len(OPINIONS)]}
    hidden = draw.one(list(labels)) if draw.share() < brief.ambiguous_share else ""
    for _ in range(TRIES):
        page, probes = Page(draw, brief.words_per_document), []
        if hidden:
            probes = put_about(
                page,
                draw,
                pool=list(names(brief.split)),
                statements=STATEMENTS[hidden],
                subjects=SUBJECTS,
                label=labels[hidden],
                apart=fitting,
            )
        plain = [name for name in labels if name != hidden]
        if all(
            page.put(fixed_sentence(draw.one(STATEMENTS[n][labels[n]]), draw.one(names(brief.split)))) for n in plain
        ):
            text, spans, _ = page.write()
            once = {n: [_probe(span, 0)] for n, span in zip(plain, spans[-len(plain) :], strict=True)}
            known = {hidden: [_probe(spans[place], apart) for place, apart in probes]} if hidden else {}
            return {"text": text, **labels, "probes": once | known}
    raise UserError(
        f"A topic and an opinion do not fit {brief.words_per_document} words: raise data.words_per_document."
    )


def _probe(span: tuple[int, int], distance: int) -> dict[str, int]:
    return {"start": span[0], "end": span[1], "distance": distance}
