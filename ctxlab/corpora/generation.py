"""Generated long prompts in which a few sentences ask for words, a topic and a length, and texts that meet these.

The sentences with constraints are at controlled distances from the end of the prompt, where the text begins.
"""

from collections.abc import Sequence
from typing import Any

from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.placing import Page, fixed_sentence
from ctxlab.corpora.grammar.prose import LISTS, fill, sentence
from ctxlab.text.units import num_words

WORD, TOPIC, LENGTH = "use the word <x> .", "write about the <x> .", "write <x> to <most> words ."

TEXTS: Sequence[str] = (
    "the <adj> <person> <did_it> the <word> <adv> .",
    "there was a <word> <where> .",
    "<when> the <word> was <adj> .",
)
"""Sentences of a text; ``<word>`` is a word that was asked for."""

SHORTEST = 8
"""Minimum number of words of a text, punctuation included."""


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``prompt, constraints, text, probes``; the prompt has exactly ``words_per_document`` words.

    - ``ambiguous_share``: fraction of the prompts that ask for a length too.
    - ``evidence_distance``: words from a sentence with a constraint to the end of the prompt; each that fits is used
      for one constraint, the first for a topic and the others for words.
    - ``probes``: the first and last character (not included) of each such sentence and its actual distance, in the
      order words, topic, length.

    Raises:
        UserError: No distance fits the prompt.
    """
    fitting = brief.fitting_distances(needed=True)
    draw = brief.draw(index)
    distances = draw.shuffled(sorted(set(fitting)))
    return _record(draw, brief.words_per_document, distances, draw.share() < brief.ambiguous_share)


def _record(draw: Draw, length: int, distances: Sequence[int], asks_length: bool) -> dict[str, Any]:
    page = Page(draw, length)
    keys = draw.shuffled([word for word in LISTS["thing"] if " " not in word])
    places = draw.shuffled([word for word in LISTS["place"] if " " not in word])
    wanted = [(TOPIC, places[0]), *((WORD, key) for key in keys[: max(len(distances) - 1, 1)])]
    placed = [(form, key) for (form, key), far in zip(wanted, distances, strict=False) if _put(page, form, key, far)]
    words = [key for form, key in placed if form == WORD]
    topic = next((key for form, key in placed if form == TOPIC), None)
    text = _text(draw, [*words, *([topic] if topic else [])])
    bounds = (max(num_words(text) - 4, 1), num_words(text) + 4)
    asks_length = asks_length and page.put(fixed_sentence(LENGTH, str(bounds[0]), most=str(bounds[1])))
    prompt, spans, _ = page.write()
    kinds = [*(form for form, _ in placed), *([LENGTH] if asks_length else [])]
    order = sorted(range(len(kinds)), key=lambda i: (WORD, TOPIC, LENGTH).index(kinds[i]))
    probes = [{"start": spans[i][0], "end": spans[i][1], "distance": num_words(prompt[spans[i][1] :])} for i in order]
    limits = {"min_words": bounds[0], "max_words": bounds[1]} if asks_length else {}
    constraints = {"words": words, **({"topic": topic} if topic else {}), **limits}
    return {"prompt": prompt, "constraints": constraints, "text": text, "probes": probes}


def _put(page: Page, form: str, key: str, distance: int) -> bool:
    return page.put_before_end(fixed_sentence(form, key), distance) is not None


def _text(draw: Draw, keys: Sequence[str]) -> str:
    """Return a text in which all ``keys`` occur, with further sentences up to ``SHORTEST`` words."""
    words: list[str] = []
    for key in keys:
        template = draw.one(TEXTS)
        words += sentence([key if part == "<word>" else part for part in fill(template, draw)])
    while len(words) < SHORTEST:
        words += sentence(fill("the <person> <did> <where> .", draw))
    return " ".join(words).replace(" .", ".").replace(" ,", ",")
