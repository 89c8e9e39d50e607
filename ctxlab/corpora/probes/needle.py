"""Needles: numbers assigned to names, with distractors."""

from collections.abc import Sequence

from ctxlab.config.nearest import suggestion
from ctxlab.core.errors import UserError
from ctxlab.corpora.grammar.codes import numbers
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.haystack import Fact, Group, hide
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.grammar.probe import FORMS, Probe, Sample, check_count, check_haystack

KINDS = ("single", "multi_key", "multi_value", "multi_query")
DIGITS = 7
WORDS = 7
"""Number of words of a needle."""


class Needle(Probe):
    """Sentences state the number of a name; the question depends on ``kind``.

    - ``single``: one name has a number.
    - ``multi_key``: ``count`` names have one each, and one of them is asked for.
    - ``multi_value``: one name has ``count`` numbers, and all are asked for.
    - ``multi_query``: ``count`` names have one each, and all are asked for.

    Source: RULER (Hsieh et al. 2024, arXiv:2404.06654), retrieval tasks. Deviations: numbers come from a closed list of
    ``values``, so that one can also be chosen (``form=classification``); no name occurs in two splits; the depth is
    that of the first needle asked for.
    """

    def __init__(
        self,
        form: str = "marking",
        lengths: Sequence[int] = (128,),
        depths: Sequence[float] = (0.5,),
        kind: str = "single",
        count: int = 4,
        values: int = 20,
        haystack: str = "noise",
    ) -> None:
        """Check and store the options.

        Args:
            form: How an encoder answers: ``classification`` (``single`` and ``multi_key``) or ``marking``.
            lengths: Words of text and question, plus about 16 around them; the documents cycle through them.
            depths: Fraction of the filler before the evidence, 0 to 1; all equally often.
            kind: ``single``, ``multi_key``, ``multi_value`` or ``multi_query``, as above.
            count: Number of names (or of numbers of the one name), 1 to 64; ``single`` ignores it.
            values: Number of distinct values to draw from, at least 2 and ``count``, at most 100,000.
            haystack: Filler: ``noise`` (a few repeated sentences) or ``prose`` (sentences of the other generated
                corpora).
        """
        if kind not in KINDS:
            raise UserError(f"probe.kind={kind} is not a kind of needle{suggestion(kind, KINDS, 'kinds')}")
        super().__init__(form, lengths, depths, FORMS if kind in ("single", "multi_key") else ("marking",))
        check_haystack(haystack)
        check_count("count", count, 1, 64)
        check_count("values", values, max(count, 2), 100_000)
        self._kind, self._haystack, self._count = kind, haystack, 1 if kind == "single" else count
        self._values = numbers(values, DIGITS)

    def least(self) -> int:
        """Return the words of the needles and two more."""
        return self._count * WORDS + 2

    def question_words(self) -> int:
        """Return the length of a question with all names asked for."""
        return 6 + 2 * (self._count if self._kind == "multi_query" else 1)

    def write(self, draw: Draw, split: str, num_words: int, depth: float) -> Sample:
        """Write a text in which the needles asked for start at the depth."""
        pool = names(split)
        given = [self._values[i] for i in draw.different(self._count, len(self._values)).tolist()]
        owners = [pool[i] for i in draw.different(self._count, len(pool)).tolist()]
        if self._kind == "multi_value":
            owners = owners[:1] * self._count
        facts = [_fact(*pair) for pair in zip(owners, given, strict=True)]
        num_asked = 1 if self._kind == "multi_key" else self._count
        groups = [Group(facts[:num_asked], depth), *(Group([other]) for other in facts[num_asked:])]
        hidden = hide(groups, num_words, self._haystack, draw)
        asked = list(dict.fromkeys(owners[:num_asked]))
        plural = "s" if num_asked > 1 else ""
        question = f"What {'are' if plural else 'is'} the number{plural} of {_listed(asked)}?"
        return Sample(hidden.text, question, answers=given[:num_asked], spans=hidden.spans[0], choices=self._values)


def _fact(owner: str, value: str) -> Fact:
    return Fact(["The", "number", "of", owner, "is", value, "."], value)


def _listed(asked: Sequence[str]) -> str:
    return asked[0] if len(asked) == 1 else f"{', '.join(asked[:-1])} and {asked[-1]}"
