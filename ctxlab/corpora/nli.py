"""Generated premises with one fact about an invented person, and hypotheses about that person.

The hypothesis states the same fact (entailment), another of the same kind (contradiction), or one about which the
premise says nothing (neutral). In an *ambiguous* document the fact uses another name, and another sentence, at a
controlled distance, states that both names are of one person.
"""

from collections.abc import Sequence
from typing import Any

from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.grammar.placing import Page, fixed_sentence
from ctxlab.corpora.grammar.prose import LISTS

LABELS = ("entailment", "contradiction", "neutral")

FACTS: Sequence[tuple[str, Sequence[str], str]] = (
    ("person", ("<x> was the <key> .", "the work of <x> was that of the <key> ."), "the trade of <x> was the <key> ."),
    (
        "place",
        ("<x> lived in the <key> .", "<x> had a room in the <key> ."),
        "the home of <x> was the <key> .",
    ),
    ("stuff", ("<x> sold nothing but <key> .", "<x> lived by selling <key> ."), "<x> dealt in <key> alone ."),
    ("thing", ("<x> owned nothing but the <key> .", "all that <x> had was the <key> ."), "<x> owned the <key> only ."),
)
"""Kind of the key, sentences of the premise, and the hypothesis. A person has one key of each kind."""

ALIASES: Sequence[str] = ("<x> was also called <y> .", "some people knew <x> as <y> .", "<x> and <y> were one person .")


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``premise, hypothesis, label, probes``; the premise has exactly ``words_per_document`` words.

    Labels alternate. With every label the premise has one sentence about the person, so that its presence does not give
    the label away.

    - ``ambiguous_share``: fraction of the documents whose person has another name in the premise.
    - ``evidence_distance``: words between the names in the alias sentence and in the fact; drawn equally often from the
      values that fit the document.
    - ``probes``: the first and last character (not included) of each evidence sentence, the fact first, and its
      distance in words from the hypothesis, which precedes the premise.

    Raises:
        UserError: No distance fits the document.
    """
    fitting = brief.fitting_distances(needed=bool(brief.ambiguous_share))
    draw = brief.draw(index)
    label = LABELS[(index + brief.seed) % len(LABELS)]
    distance = draw.one(fitting) if draw.share() < brief.ambiguous_share else None
    return _record(draw, Page(draw, brief.words_per_document), pool=names(brief.split), label=label, distance=distance)


def _record(draw: Draw, page: Page, pool: Sequence[str], label: str, distance: int | None) -> dict[str, Any]:
    name, other = (pool[i] for i in _two(draw, len(pool)))
    fact, asked = (FACTS[i] for i in _two(draw, len(FACTS)))
    kind, sentences, _ = fact
    key, wrong = (_keys(kind)[i] for i in _two(draw, len(_keys(kind))))
    statement = fixed_sentence(draw.one(sentences), name if distance is None else other, key=key)
    if distance is None:
        page.put(statement)
        is_first = True
    else:
        alias = fixed_sentence(draw.one(ALIASES), name, y=other)
        is_first = draw.share() < 0.5
        page.put_pair(*((statement, alias) if is_first else (alias, statement)), distance)
    text, spans, at = page.write()
    stated_kind, _, hypothesis = asked if label == "neutral" else fact
    stated_key = {"entailment": key, "contradiction": wrong, "neutral": draw.one(_keys(stated_kind))}[label]
    order = list(zip(spans, at, strict=True)) if is_first else list(zip(spans, at, strict=True))[::-1]
    return {
        "premise": text,
        "hypothesis": " ".join(fixed_sentence(hypothesis, name, key=stated_key).words).replace(" .", "."),
        "label": label,
        "probes": [{"start": start, "end": end, "distance": place + 1} for (start, end), place in order],
    }


def _keys(kind: str) -> list[str]:
    return [word for word in LISTS[kind] if " " not in word]


def _two(draw: Draw, count: int) -> tuple[int, int]:
    """Draw two different numbers below ``count``."""
    first = draw.below(count)
    return first, (first + 1 + draw.below(count - 1)) % count
