"""Frequent words: invented words whose counts follow Zipf's law."""

from collections.abc import Sequence
from functools import cached_property

from ctxlab.core.errors import UserError
from ctxlab.corpora.grammar.codes import codes
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.probe import LONGEST, Probe, Sample, check_count
from ctxlab.corpora.grammar.shuffled import shuffled_text


class FrequentWords(Probe):
    """The word of rank r occurs r ** -``alpha`` times as often as the first: which are the ``asked`` most frequent?

    Source: RULER (Hsieh et al. 2024, arXiv:2404.06654), frequent words extraction: alpha 2.0, the three most frequent.
    Deviations: counts are those of the law, rounded down, rather than drawn from it, so that the last word asked for is
    always more frequent than the next; there are no dots in between. The evidence is everywhere, so that there is no
    depth.
    """

    def __init__(
        self, form: str = "marking", lengths: Sequence[int] = (128,), alpha: float = 2.0, asked: int = 3
    ) -> None:
        """Check and store the options.

        Args:
            form: How an encoder answers: ``marking``.
            lengths: Words of text and question, plus about 16 around them; the documents cycle through them.
            alpha: Exponent of the law, above 1 and at most 10.
            asked: Number of words asked for, 1 to 100.
        """
        super().__init__(form, lengths, None, ("marking",))
        check_count("asked", asked, 1, 100)
        if not 1 < alpha <= 10:
            raise UserError(f"probe.alpha={alpha} is out of range: give a number above 1 and at most 10.")
        self._alpha, self._asked = alpha, asked

    def least(self) -> int:
        """Return the length from which on the words asked for are always more frequent than the next."""
        num = max((n for n in self._short() if self._is_tied(n)), default=0) + 1
        if num > LONGEST // 2:
            raise UserError(
                f"probe.asked={self._asked} words have too similar counts at probe.alpha={self._alpha}: ask for fewer."
            )
        return num

    def _short(self) -> range:
        """Return the lengths at which there may be a tie: beyond, the exact counts differ by a whole word."""
        first, second = ((self._asked + more) ** -self._alpha for more in (0, 1))
        return range(1, min(int(2 * self._norm / (first - second)) + 2, LONGEST))

    @cached_property
    def _norm(self) -> float:
        """Return the sum of the law over all ranks, approximated by an integral from rank 1,000 on."""
        head: float = sum(rank**-self._alpha for rank in range(1, 1000))
        return head + float(1000 ** (1 - self._alpha)) / (self._alpha - 1)

    def _count(self, rank: int, num_words: int) -> int:
        return int(num_words * rank**-self._alpha / self._norm)

    def _is_tied(self, num_words: int) -> bool:
        return self._count(self._asked, num_words) <= max(self._count(self._asked + 1, num_words), 1)

    def question_words(self) -> int:
        """Return the length of the only question."""
        return 8

    def write(self, draw: Draw, split: str, num_words: int, depth: float) -> Sample:
        """Determine the counts, then draw the order; the rest left by rounding are words that occur once."""
        counts: list[int] = []
        while count := self._count(len(counts) + 1, num_words):
            counts.append(count)
        counts += [1] * (num_words - sum(counts))
        words = codes(len(counts), draw)
        frequent = words[: self._asked]
        text, spans = shuffled_text(words, counts, frequent, draw)
        return Sample(text, f"What are the {self._asked} most frequent words?", frequent, spans)
