"""Generated court reports, whose class is the relevant verdict, stated somewhere in a long text.

In most documents exactly one sentence states a verdict. In an *ambiguous* one several persons get different verdicts;
another sentence, at a controlled distance, states whose case the document is about.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.grammar.placing import Page, fixed_sentence

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

OTHERS = 2
"""Maximum number of persons with another verdict in an ambiguous document."""


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``text, label, probes`` of exactly ``words_per_document`` words; classes alternate.

    - ``ambiguous_share``: fraction of the documents whose class only two sentences together determine.
    - ``evidence_distance``: words between the names in these; drawn equally often from the values that fit.
    - ``probes``: the first and last character (not included) of each evidence sentence, the verdict first, and the
      distance to the other one (0 where there is none).

    Raises:
        UserError: No distance fits the document.
    """
    fitting = brief.fitting_distances(needed=bool(brief.ambiguous_share))
    draw = brief.draw(index)
    label = list(VERDICTS)[(index + brief.seed) % len(VERDICTS)]
    page, pool = Page(draw, brief.words_per_document), list(names(brief.split))
    is_ambiguous = draw.share() < brief.ambiguous_share
    return (
        _two_sentences(draw, page, pool=pool, label=label, distances=fitting)
        if is_ambiguous
        else _one_sentence(draw, page, pool, label)
    )


def _one_sentence(draw: Draw, page: Page, pool: Sequence[str], label: str) -> dict[str, Any]:
    page.put(fixed_sentence(draw.one(VERDICTS[label]), draw.one(pool)))
    text, spans, _ = page.write()
    return {"text": text, "label": label, "probes": [{"start": spans[0][0], "end": spans[0][1], "distance": 0}]}


def _two_sentences(draw: Draw, page: Page, pool: Sequence[str], label: str, distances: Sequence[int]) -> dict[str, Any]:
    name, *others = _different(draw, pool, 1 + OTHERS)
    verdict, subject = fixed_sentence(draw.one(VERDICTS[label]), name), fixed_sentence(draw.one(SUBJECTS), name)
    verdict_first = draw.share() < 0.5
    pair = (verdict, subject) if verdict_first else (subject, verdict)
    distance = page.put_pair(*pair, draw.one(distances))
    assert distance is not None, "an empty page has room for a pair"
    for other in others:
        page.put(fixed_sentence(draw.one(VERDICTS[draw.one([one for one in VERDICTS if one != label])]), other))
    text, spans, _ = page.write()
    order = spans[:2] if verdict_first else spans[1::-1]
    return {"text": text, "label": label, "probes": [{"start": s, "end": e, "distance": distance} for s, e in order]}


def _different(draw: Draw, pool: Sequence[str], count: int) -> list[str]:
    found: list[str] = []
    while len(found) < count:
        name = draw.one(pool)
        if name not in found:
            found.append(name)
    return found
