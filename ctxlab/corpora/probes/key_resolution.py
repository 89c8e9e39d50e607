"""Key resolution: an invented name whose type only one sentence states, as in the generated corpus of task=ner."""

from collections.abc import Sequence

from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.haystack import Fact, Group, hide
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.grammar.naming import AMBIGUOUS, DEFINING, KINDS
from ctxlab.corpora.grammar.probe import Probe, Sample, check_count, check_haystack
from ctxlab.corpora.grammar.prose import fill, sentence

CHOICES = {"PER": "person", "ORG": "organisation", "LOC": "place", "VES": "ship"}
"""Types of the corpus and their names as answers."""

ROOM = 20
"""Maximum number of words of a sentence."""


class KeyResolution(Probe):
    """One sentence states the type of a name, one fits every type, ``others`` define other names; which type is it?

    Source: the sentences of the project's own generated corpus for ``task=ner``. No name occurs in two splits. The
    depth is that of the defining sentence.
    """

    def __init__(
        self,
        form: str = "classification",
        lengths: Sequence[int] = (128,),
        depths: Sequence[float] = (0.5,),
        others: int = 2,
        haystack: str = "prose",
    ) -> None:
        """Check and store the options.

        Args:
            form: How an encoder answers: ``classification``.
            lengths: Words of text and question, plus about 16 around them; the documents cycle through them.
            depths: Fraction of the filler before the evidence, 0 to 1; all equally often.
            others: Other names that are explained, 0 to 64.
            haystack: Filler: ``noise`` (a few repeated sentences) or ``prose`` (sentences of the other generated
                corpora).
        """
        super().__init__(form, lengths, depths, ("classification",))
        check_count("others", others, 0, 64)
        check_haystack(haystack)
        self._others, self._haystack = others, haystack

    def least(self) -> int:
        """Return the words of all sentences and two more."""
        return (self._others + 2) * ROOM + 2

    def question_words(self) -> int:
        """Return the length of the only question."""
        return 4

    def write(self, draw: Draw, split: str, num_words: int, depth: float) -> Sample:
        """Write a text whose defining sentence is at the depth."""
        pool = names(split)
        name, *others = (pool[i] for i in draw.different(1 + self._others, len(pool)).tolist())
        kind = draw.one(tuple(KINDS))
        groups = [Group([_fact(draw.one(DEFINING), name, kind, draw)], depth)]
        groups += [Group([_fact(draw.one(DEFINING), other, draw.one(tuple(KINDS)), draw)]) for other in others]
        groups.append(Group([_fact(draw.one(AMBIGUOUS), name, kind, draw)]))
        hidden = hide(groups, num_words, self._haystack, draw)
        choices = tuple(CHOICES.values())
        return Sample(hidden.text, f"What is {name}?", answers=[CHOICES[kind]], spans=hidden.spans[0], choices=choices)


def _fact(template: str, name: str, kind: str, draw: Draw) -> Fact:
    words: list[str] = []
    for part in template.split(" "):
        words += [name] if part == "<x>" else draw.one(KINDS[kind]).split(" ") if part == "<type>" else fill(part, draw)
    return Fact(sentence(words))
