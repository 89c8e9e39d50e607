"""Generated long texts with a few key sentences about names, and summaries that repeat just these.

Each *key sentence* is about an invented name that occurs nowhere else in the document, at a controlled position. A
document has a query about each name, and one summary of everything. An *ambiguous* key sentence uses another name, and
another sentence, anywhere, states that both names are equivalent; summaries use the name of the query.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.grammar.paragraphs import joined
from ctxlab.corpora.grammar.placing import Page, fixed_sentence
from ctxlab.corpora.grammar.prose import LISTS
from ctxlab.corpora.nli import ALIASES
from ctxlab.corpora.qa import FACTS, ROOM_FOR_FACT

QUERY = "What is told of <x>?"


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``document, summaries``; the document has exactly ``words_per_document`` words.

    - ``ambiguous_share``: fraction of the key sentences that use another name.
    - ``evidence_distance``: words from the query, which precedes the document, to the name in a key sentence: one for
      each value that fits the document, as near to it as the others leave room.
    - ``probes`` of each summary: for each key sentence the first and last character (not included), the actual
      distance, and the word that the summary must contain (``says``).

    Raises:
        UserError: No distance fits the document.
    """
    fitting = sorted(set(brief.fitting_distances(ROOM_FOR_FACT, needed=True)))
    draw = brief.draw(index)
    page, pool = Page(draw, brief.words_per_document), draw.shuffled(names(brief.split))
    facts = _facts(draw, page, pool=pool, share=brief.ambiguous_share, distances=fitting)
    text, spans, _ = page.write()
    return {"document": text, "summaries": _summaries(facts, spans)}


@dataclass(frozen=True, slots=True)
class _Fact:
    name: str
    says: str
    """Its key, the word that a summary must contain."""
    stated: str
    """Its sentence in a summary."""
    distance: int
    put: int
    """Its index among the sentences on the page."""


def _facts(draw: Draw, page: Page, pool: list[str], share: float, distances: Sequence[int]) -> list[_Fact]:
    """Put key sentences and return them in the order of the document; one that fits nowhere is left out."""
    facts, aliases = [], []
    for distance in distances:
        kind, template, _ = draw.one(FACTS)
        name, key = pool.pop(), draw.one([entry for entry in LISTS[kind] if " " not in entry])
        other = pool.pop() if draw.share() < share else name
        at = page.put_near(fixed_sentence(template, other, key=key), distance)
        if at is None:
            continue
        stated, _ = joined(fixed_sentence(template, name, key=key).words, [0])
        facts.append(_Fact(name, key, stated=stated.strip(), distance=at, put=len(page.placed) - 1))
        aliases += [fixed_sentence(draw.one(ALIASES), name, y=other)] if other != name else []
    for alias in aliases:
        page.put(alias)
    return sorted(facts, key=lambda fact: fact.distance)


def _summaries(facts: Sequence[_Fact], spans: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """Return one summary about each name and, where there are several, one about all of them."""
    rows: list[tuple[str | None, list[_Fact]]] = [(QUERY.replace("<x>", fact.name), [fact]) for fact in facts]
    rows += [(None, list(facts))] if len(facts) > 1 else []
    return [
        {
            "query": query,
            "summary": " ".join(fact.stated for fact in included),
            "probes": [
                {"start": spans[f.put][0], "end": spans[f.put][1], "distance": f.distance, "says": f.says}
                for f in included
            ],
        }
        for query, included in rows
    ]
