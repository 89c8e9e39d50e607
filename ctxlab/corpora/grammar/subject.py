"""Documents about one person among several: a statement on that person, stated somewhere in a long text.

In most documents exactly one sentence has a statement. In an *ambiguous* one several persons have different statements;
another sentence, at a controlled distance, says whom the document is about.
"""

from collections.abc import Mapping, Sequence

from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.grammar.placing import Page, fixed_sentence

OTHERS = 2
"""Persons with another statement in an ambiguous document."""


def about(
    brief: Brief, index: int, statements: Mapping[str, Sequence[str]], subjects: Sequence[str]
) -> tuple[str, str, list[dict[str, int]]]:
    """Return text, label and evidence of a document of exactly ``words_per_document`` words; labels alternate.

    Args:
        brief: Its parameters. ``ambiguous_share`` is the fraction of the documents whose label only two sentences
            together determine, ``evidence_distance`` the words between the names in these, drawn equally often from
            the values that fit.
        index: Its number.
        statements: Label → sentences that state it of ``<x>``.
        subjects: Sentences that say that the document is about ``<x>``.

    Returns:
        The text, its label, and the ``probes``: the first and last character (not included) of each evidence sentence,
        the statement first, and the distance to the other one (0 where there is none).

    Raises:
        UserError: No distance fits the document.
    """
    fitting = brief.fitting_distances(needed=bool(brief.ambiguous_share))
    draw = brief.draw(index)
    label = list(statements)[(index + brief.seed) % len(statements)]
    page, pool = Page(draw, brief.words_per_document), list(names(brief.split))
    if draw.share() >= brief.ambiguous_share:
        page.put(fixed_sentence(draw.one(statements[label]), draw.one(pool)))
        text, spans, _ = page.write()
        return text, label, [{"start": spans[0][0], "end": spans[0][1], "distance": 0}]
    places = put_about(page, draw, pool=pool, statements=statements, subjects=subjects, label=label, apart=fitting)
    text, spans, _ = page.write()
    return text, label, [{"start": spans[at][0], "end": spans[at][1], "distance": apart} for at, apart in places]


def put_about(
    page: Page,
    draw: Draw,
    pool: Sequence[str],
    statements: Mapping[str, Sequence[str]],
    subjects: Sequence[str],
    *,
    label: str,
    apart: Sequence[int],
) -> list[tuple[int, int]]:
    """Put the sentences of an ambiguous document on an empty page.

    Args:
        page: Where they are put.
        draw: Draws them.
        pool: Names of persons.
        statements: Label → sentences that state it of ``<x>``.
        subjects: Sentences that say that the document is about ``<x>``.
        label: The label of the document.
        apart: Words between statement and subject, of which one is drawn.

    Returns:
        For the statement and the subject, which of the page's sentences it is, and the distance between both.
    """
    name, *others = _different(draw, pool, 1 + OTHERS)
    stated, subject = fixed_sentence(draw.one(statements[label]), name), fixed_sentence(draw.one(subjects), name)
    stated_first = draw.share() < 0.5
    distance = page.put_pair(*((stated, subject) if stated_first else (subject, stated)), draw.one(apart))
    assert distance is not None, "an empty page has room for a pair"
    for other in others:
        page.put(fixed_sentence(draw.one(statements[draw.one([one for one in statements if one != label])]), other))
    return [(place, distance) for place in ((0, 1) if stated_first else (1, 0))]


def _different(draw: Draw, pool: Sequence[str], count: int) -> list[str]:
    found: list[str] = []
    while len(found) < count:
        name = draw.one(pool)
        if name not in found:
            found.append(name)
    return found
