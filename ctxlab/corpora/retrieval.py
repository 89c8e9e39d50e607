"""Generated documents that each state a fact at a controlled depth, and queries that one of them answers.

Twenty records share their documents. A document is prose without names around the *fact* that its query asks for, a
sentence about an invented name. The *rival* of a query is another document that mentions the same name with another
fact, so that the name alone leaves two.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.grammar.placing import Fixed, Page, fixed_sentence
from ctxlab.corpora.grammar.prose import LISTS
from ctxlab.corpora.qa import FACTS, ROOM_FOR_FACT

COUNTS = {"train": 200, "validation": 20, "test": 20}
"""Default number of queries of each split."""

DOCUMENTS = 20
"""Documents that are ranked for a query."""

FIRST_DRAW = 2**20
"""Index of the draws of documents, beyond that of any record."""


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return ``query, documents, relevant, probes``; every document has exactly ``words_per_document`` words.

    - ``ambiguous_share``: fraction of the queries that have a rival.
    - ``evidence_distance``: words from the beginning of the document to the name in its fact; drawn equally often from
      the values that fit, and as near to it as fits.
    - ``probes``: the relevant document, the first and last character (not included) of the fact, and its distance.

    Raises:
        UserError: No distance fits the document.
    """
    shelf = _shelf(brief, index // DOCUMENTS)
    own = shelf[index % DOCUMENTS]
    start, end, distance = own["evidence"]
    return {
        "query": own["query"],
        "documents": [{"id": one["id"], "text": one["text"]} for one in shelf],
        "relevant": [own["id"]],
        "probes": [{"document": own["id"], "start": start, "end": end, "distance": distance}],
    }


@lru_cache(4)
def _shelf(brief: Brief, number: int) -> Sequence[dict[str, Any]]:
    """Return the documents that records ``number * DOCUMENTS`` and on share."""
    distances = brief.fitting_distances(ROOM_FOR_FACT, needed=True)
    draw = Draw(brief.seed, brief.split, FIRST_DRAW + number)
    about = draw.shuffled(names(brief.split))[:DOCUMENTS]
    forms = [draw.below(len(FACTS)) for _ in about]
    found = []
    for place, (name, form) in enumerate(zip(about, forms, strict=True)):
        page = Page(draw, brief.words_per_document)
        distance = page.put_near(_stated(draw, form, name), draw.one(distances))
        assert distance is not None, "a page with room for a distance has room for a sentence"
        if draw.share() < brief.ambiguous_share:
            other = (place + 1) % DOCUMENTS
            rival = (forms[other] + 1 + draw.below(len(FACTS) - 1)) % len(FACTS)
            page.put(_stated(draw, rival, about[other]))
        text, spans, _ = page.write()
        found.append(
            {
                "id": f"{brief.split}-{brief.seed}-{number}-{place}",
                "query": FACTS[form][2].replace("<x>", name),
                "text": text,
                "evidence": (*spans[0], distance),
            }
        )
    return found


def _stated(draw: Draw, form: int, name: str) -> Fixed:
    kind, template, _ = FACTS[form]
    return fixed_sentence(template, name, key=draw.one(LISTS[kind]))
