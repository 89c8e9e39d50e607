"""Generated conversations whose next turn depends on a fact stated at a controlled distance before.

Two speakers alternate with prose without names. One turn states a fact about an invented person. The last turn but one
asks for it, and the last one answers. All candidates answer in the same words, with different keys. In an *ambiguous*
conversation a fact of the same kind is stated about another person too, whose key is in one of the candidates.
"""

from collections.abc import Sequence
from typing import Any

from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.grammar.placing import Page, fixed_sentence
from ctxlab.corpora.grammar.prose import LISTS
from ctxlab.corpora.qa import FACTS, ROOM_FOR_FACT

ANSWERS: Sequence[str] = ("I believe it was <key>.", "As far as I know, <key>.", "It was <key>, I think.")
"""Last turns; ``<key>`` includes its article where it needs one."""

NUM_CANDIDATES = 10

ROOM_FOR_QUESTION = 12
"""Words within which every question fits."""

SPEAKERS = ("first", "second")
PARAGRAPH = "\n\n"


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``turns, candidates, probes``; the turns without the last have ``words_per_document`` words.

    - ``ambiguous_share``: fraction of the conversations with a fact of the same kind about another person.
    - ``evidence_distance``: words from the name in the fact to the question; drawn equally often from those that fit.
    - ``probes``: the index of the turn with the fact, its first and last character (not included) in this turn, and its
      distance.

    Raises:
        UserError: No distance fits the document.
    """
    fitting = brief.fitting_distances(ROOM_FOR_FACT + ROOM_FOR_QUESTION, needed=True)
    draw = brief.draw(index)
    is_ambiguous = draw.share() < brief.ambiguous_share
    return _record(draw, names(brief.split), brief.words_per_document, draw.one(fitting), is_ambiguous=is_ambiguous)


def _record(draw: Draw, pool: Sequence[str], length: int, distance: int, *, is_ambiguous: bool) -> dict[str, Any]:
    name, other = draw.shuffled(pool)[:2]
    kind, fact, question = draw.one(FACTS)
    keys = draw.shuffled(LISTS[kind])[:NUM_CANDIDATES]
    asked = question.replace("<x>", name)
    page = Page(draw, length - len(asked.replace("?", " ?").split(" ")))
    true_distance = page.put_before_end(fixed_sentence(fact, name, key=keys[0]), distance)
    if is_ambiguous:
        page.put(fixed_sentence(fact, other, key=keys[1]))
    text, spans, _ = page.write()
    lines = [*text.rstrip("\n").split(PARAGRAPH), asked]
    answer = draw.one(ANSWERS)
    answers = [answer.replace("<key>", key if kind == "stuff" else f"the {key}") for key in keys]
    turns = [{"speaker": SPEAKERS[i % 2], "text": line} for i, line in enumerate([*lines, answers[0]])]
    probe = {**_place(lines, *spans[0]), "distance": true_distance}
    return {"turns": turns, "candidates": draw.shuffled(answers), "probes": [probe]}


def _place(lines: Sequence[str], start: int, end: int) -> dict[str, int]:
    """Return the turn of a span in the joined ``lines`` and its characters in that turn."""
    turn = 0
    while start >= len(lines[turn]):
        skipped = len(lines[turn]) + len(PARAGRAPH)
        start, end, turn = start - skipped, end - skipped, turn + 1
    return {"turn": turn, "start": start, "end": end}
