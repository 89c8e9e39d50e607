"""Variable tracking: a value that is assigned from variable to variable."""

from collections.abc import Sequence

from ctxlab.corpora.grammar.codes import codes, numbers
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.haystack import Fact, Group, hide
from ctxlab.corpora.grammar.probe import Probe, Sample, check_count, check_haystack

DIGITS = 5
WORDS = 6
"""Maximum number of words of an assignment."""


class VariableTracking(Probe):
    """``VAR a = 12345.``, ``VAR b = VAR a.`` and so on: which variables have the value?

    Source: RULER (Hsieh et al. 2024, arXiv:2404.06654), multi-hop tracing. Deviations: names are two syllables; the
    depth is that of the first assignment; the others are anywhere after it.
    """

    def __init__(
        self,
        form: str = "marking",
        lengths: Sequence[int] = (128,),
        depths: Sequence[float] = (0.5,),
        chains: int = 1,
        hops: int = 4,
        haystack: str = "noise",
    ) -> None:
        """Check and store the options.

        Args:
            form: How an encoder answers: ``marking``.
            lengths: Words of text and question, plus about 16 around them; the documents cycle through them.
            depths: Fraction of the filler before the evidence, 0 to 1; all equally often.
            chains: Chains of variables, 1 to 64; the question is about the first.
            hops: Assignments from one variable to the next in a chain, 1 to 64.
            haystack: Filler: ``noise`` (a few repeated sentences) or ``prose`` (sentences of the other generated
                corpora).
        """
        super().__init__(form, lengths, depths, ("marking",))
        check_count("chains", chains, 1, 64)
        check_count("hops", hops, 1, 64)
        check_haystack(haystack)
        self._chains, self._hops, self._haystack = chains, hops, haystack

    def least(self) -> int:
        """Return the words of all assignments and two more."""
        return self._chains * (self._hops + 1) * WORDS + 2

    def question_words(self) -> int:
        """Return the length of the only question."""
        return 7

    def write(self, draw: Draw, split: str, num_words: int, depth: float) -> Sample:
        """Write chains of assignments; the question is about the first."""
        num = self._hops + 1
        variables = codes(self._chains * num, draw)
        pool = numbers(1000, DIGITS)
        values = [pool[i] for i in draw.different(self._chains, len(pool)).tolist()]
        chains = [variables[start : start + num] for start in range(0, len(variables), num)]
        groups = [Group(_assignments(*pair), None) for pair in zip(chains, values, strict=True)]
        groups[0] = Group(groups[0].facts, depth)
        hidden = hide(groups, num_words, self._haystack, draw)
        question = f"Which variables have the value {values[0]}?"
        return Sample(hidden.text, question, chains[0], hidden.spans[0])


def _assignments(variables: Sequence[str], value: str) -> list[Fact]:
    """Assign the value to the first variable, and each variable to the next."""
    sources = [[value], *(["VAR", name] for name in variables[:-1])]
    return [Fact(["VAR", name, "=", *given, "."], name) for name, given in zip(variables, sources, strict=True)]
