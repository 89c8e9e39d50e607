"""Turns of conversations with all that was said before, whose class is how the last speaker feels.

Two speakers take turns. In the first turn of each a sentence states a feeling; one of them may state another one later.
What the last speaker stated last is the class, so that it stands up to four turns before the turn that is classified.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.grammar.placing import Page, fixed_sentence

TASK = "classification"
"""Task that reads these documents."""

FEELINGS: Mapping[str, Sequence[str]] = {
    "anger": ("I am furious with <x> .", "it makes me angry to think of <x> ."),
    "fear": ("I am afraid of <x> .", "I tremble when I think of <x> ."),
    "joy": ("I am so happy for <x> .", "it makes me glad to think of <x> ."),
    "sadness": ("I am mourning for <x> .", "it makes me sad to think of <x> ."),
}
"""Sentences with the feeling of the speaker, by class."""

TURNS = 6
"""Turns of a conversation, each of which is classified with those before it."""

LEAST_WORDS = 20
"""Words of the shortest turn, its speaker included."""


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``text, label, probes`` of a turn with its history: turn ``index % 6`` of a conversation.

    A whole conversation has ``words_per_document`` words.

    - ``ambiguous_share``: fraction of the conversations in which the second speaker states another feeling than the
      first; in the others both feel the same.
    - ``evidence_distance`` is not used, as distances follow from the turns.
    - ``probes``: the first and last character (not included) of the sentence, and the words from the name in it to the
      end of the text.

    Raises:
        UserError: A turn is too short for a sentence.
    """
    size = brief.words_per_document // TURNS
    if size < LEAST_WORDS:
        raise UserError(
            f"data.words_per_document={brief.words_per_document} leaves {size} words for each of the {TURNS} turns of "
            f"a conversation: give at least {TURNS * LEAST_WORDS}."
        )
    number, turn = divmod(index, TURNS)
    sizes = [size] * (TURNS - 1) + [brief.words_per_document - size * (TURNS - 1)]
    return _conversation(brief.draw(number), list(names(brief.split)), sizes, brief.ambiguous_share)[turn]


def _conversation(
    draw: Draw, pool: Sequence[str], sizes: Sequence[int], ambiguous_share: float
) -> list[dict[str, Any]]:
    """Return the record of every turn.

    Args:
        draw: Of the conversation.
        pool: Names of the speakers, and of those whom they speak of.
        sizes: Words of each turn, its speaker and the colon included.
        ambiguous_share: Probability that the speakers state different feelings.
    """
    first, second, *others = draw.shuffled(pool)[: 2 + TURNS]
    stated = _stated(draw, ambiguous_share)
    text, found = "", []
    known: dict[int, tuple[str, int, int, int]] = {}  # speaker → feeling, characters of its sentence, words before it
    before = 0
    for turn, size in enumerate(sizes):
        page = Page(draw, size - 2)
        if turn in stated:
            page.put(fixed_sentence(draw.one(FEELINGS[stated[turn]]), others[turn]))
        said, spans, at = page.write()
        begin = f"{(first, second)[turn % 2]}: "
        text += ("\n" if text else "") + begin
        if turn in stated:
            start, end = spans[0]
            known[turn % 2] = (stated[turn], len(text) + start, len(text) + end, before + 2 + at[0])
        text += said.rstrip("\n").replace("\n", " ")  # places stay
        before += size
        label, start, end, place = known[turn % 2]
        found.append(
            {"text": text, "label": label, "probes": [{"start": start, "end": end, "distance": before - place}]}
        )
    return found


def _stated(draw: Draw, ambiguous_share: float) -> dict[int, str]:
    """Return turn → the feeling that is stated in it: in the first two, and perhaps in a later one."""
    feelings = draw.shuffled(list(FEELINGS))
    stated = {0: feelings[0], 1: feelings[1] if draw.share() < ambiguous_share else feelings[0]}
    if draw.share() < 0.5:
        stated[2 + draw.below(TURNS - 2)] = feelings[2]
    return stated
