"""Long texts in which a few sentences tell something of named things, and summaries that repeat just these.

Each *key sentence* is about an invented name that the rest of the document does not have, at a controlled place. A
document is asked about every name by itself, and once for all that it tells. An *ambiguous* key sentence speaks of its
person or thing under another name, and another sentence, anywhere, says that both are one; summaries keep to the name
that was asked for.
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
    """Fields ``document, summaries``; the document has exactly ``words_per_document`` words.

    - ``ambiguous_share``: of the key sentences, those that use another name.
    - ``evidence_distance``: words from the query, in front of the document, to the name in a key sentence: one for each
      distance that fits the document, as near to it as the others leave room.
    - ``probes`` of each summary: of its key sentences the first and last character (not included), the true distance,
      and the word that the summary must have (``says``).

    Raises:
        UserError: No distance fits the document.
    """
    fitting = sorted(set(brief.fitting_distances(ROOM_FOR_FACT, needed=True)))
    draw = brief.draw(index)
    page, pool = Page(draw, brief.words_per_document), draw.shuffled(names(brief.split))
    facts = _facts(draw, page, pool, brief.ambiguous_share, fitting)
    text, spans, _ = page.write()
    return {"document": text, "summaries": _summaries(facts, spans)}


@dataclass(frozen=True, slots=True)
class _Fact:
    name: str
    says: str
    """Its key, the word that matters."""
    stated: str
    """The sentence of a summary."""
    distance: int
    put: int
    """Its number among the sentences that were put on the page."""


def _facts(draw: Draw, page: Page, pool: list[str], share: float, distances: Sequence[int]) -> list[_Fact]:
    """Key sentences in the order of the document; one that fits nowhere is left out."""
    facts, aliases = [], []
    for distance in distances:
        kind, template, _ = draw.one(FACTS)
        name, key = pool.pop(), draw.one([entry for entry in LISTS[kind] if " " not in entry])
        other = pool.pop() if draw.share() < share else name
        at = page.put_near(fixed_sentence(template, other, key=key), distance)
        if at is None:
            continue
        stated, _ = joined(fixed_sentence(template, name, key=key).words, [0])
        facts.append(_Fact(name, key, stated.strip(), at, len(page.placed) - 1))
        aliases += [fixed_sentence(draw.one(ALIASES), name, y=other)] if other != name else []
    for alias in aliases:
        page.put(alias)
    return sorted(facts, key=lambda fact: fact.distance)


def _summaries(facts: Sequence[_Fact], spans: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """One about each name, and one about all of them where there are several."""
    rows: list[tuple[str | None, list[_Fact]]] = [(QUERY.replace("<x>", fact.name), [fact]) for fact in facts]
    rows += [(None, list(facts))] if len(facts) > 1 else []
    return [
        {
            "query": query,
            "summary": " ".join(fact.stated for fact in told_of),
            "probes": [
                {"start": spans[f.put][0], "end": spans[f.put][1], "distance": f.distance, "says": f.says}
                for f in told_of
            ],
        }
        for query, told_of in rows
    ]
