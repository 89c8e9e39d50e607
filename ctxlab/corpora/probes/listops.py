"""ListOps: a nested expression over digits, whose value depends on all of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache

from ctxlab.core.errors import UserError
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.probe import LONGEST, Probe, Sample, check_count

DIGITS = tuple(map(str, range(10)))
OPERATORS: Mapping[str, Callable[[Sequence[int]], int]] = {
    "[MIN": min,
    "[MAX": max,
    "[MED": lambda values: _median(values),
    "[SM": lambda values: sum(values) % 10,
}
"""Symbol and function: minimum, maximum, median (rounded down), sum modulo 10."""

NAMES = tuple(OPERATORS)

SMALLEST = 4
"""Number of symbols of an operator with two digits: operator, digits, and closing bracket."""


class Listops(Probe):
    """``[MAX 4 [SM 7 9 ] 2 ]``: what is its value?

    Source: Nangia and Bowman 2018 (arXiv:1804.06028) with the limits of the long-range arena (Tay et al. 2020,
    arXiv:2011.04006): operators MIN, MAX, MED and SM, at most 10 arguments each, at most 10 levels (the deepest of them
    digits only), 500 to 2,000 symbols. Deviations: there an expression is drawn until its length fits; here it is made
    for a given length, and the shape of each operator is drawn uniformly from those that fit, instead of one argument
    in four being an expression. The value depends on the whole text, so that there is no depth.
    """

    def __init__(
        self,
        form: str = "classification",
        lengths: Sequence[int] = (128,),
        max_arguments: int = 10,
        max_levels: int = 10,
    ) -> None:
        """Check and store the options.

        Args:
            form: How an encoder answers: ``classification``.
            lengths: Symbols of the expression, plus about 21 around them; the documents cycle through them.
            max_arguments: Maximum arguments of an operator, 4 to 100.
            max_levels: Maximum nesting levels, that of the digits included, 2 to 100.
        """
        super().__init__(form, lengths, None, ("classification",))
        check_count("max_arguments", max_arguments, 4, 100)
        check_count("max_levels", max_levels, 2, 100)
        self._max_arguments, self._max_levels = max_arguments, max_levels

    @cached_property
    def _largest(self) -> list[int]:
        """Number of symbols of the largest expression by number of levels, from one level, a digit, on."""
        sizes = [1]
        while len(sizes) < self._max_levels and sizes[-1] < LONGEST:
            sizes.append(2 + self._max_arguments * sizes[-1])
        return sizes

    def least(self) -> int:
        """Return the symbols of one operator with two digits."""
        return SMALLEST

    def question_words(self) -> int:
        """Return the length of the only question."""
        return 5

    def write(self, draw: Draw, split: str, num_words: int, depth: float) -> Sample:
        """Write an expression of exactly ``num_words`` symbols."""
        if num_words > self._largest[-1]:
            raise UserError(
                f"probe.max_levels={self._max_levels} and probe.max_arguments={self._max_arguments} allow "
                f"at most {self._largest[-1]:,} symbols: raise one of them, or leave out the longest of probe.lengths."
            )
        signs: list[str] = []
        digits = iter(draw.many(num_words, 10).tolist())
        value = self._write(num_words, len(self._largest) - 1, signs=signs, digits=digits, draw=draw)
        return Sample(" ".join(signs), "What is the value?", answers=[str(value)], spans=(), choices=DIGITS)

    def _write(self, size: int, levels: int, signs: list[str], digits: Iterator[int], draw: Draw) -> int:
        """Append an expression of ``size`` symbols with at most ``levels`` nested operators; returns its value."""
        name = draw.one(NAMES)
        signs.append(name)
        values: list[int] = []
        for part in self._parts(size - 2, self._largest[levels - 1], draw):
            if part > 1:
                values.append(self._write(part, levels - 1, signs=signs, digits=digits, draw=draw))
            else:
                values.append(next(digits))
                signs.append(DIGITS[values[-1]])
        signs.append("]")
        return OPERATORS[name](values)

    def _parts(self, total: int, largest: int, draw: Draw) -> list[int]:
        """Draw the sizes of the arguments, which sum to ``total``; each is a digit or an expression."""
        num, nested = draw.one(_shapes(total, largest, self._max_arguments))
        more = total - num  # symbols beyond one per argument
        sizes = [1] * (num - nested)
        if not nested:
            return sizes
        for left in range(nested, 0, -1):
            low = max(SMALLEST - 1, more - (left - 1) * (largest - 1))
            high = min(largest - 1, more - (left - 1) * (SMALLEST - 1))
            # About its part of the rest, so that the first is not always the largest.
            taken = min(max(int(2 * draw.share() * more / left), low), high) if left > 1 else more
            sizes.append(1 + taken)
            more -= taken
        return draw.shuffled(sizes)


@lru_cache(1 << 14)
def _shapes(total: int, largest: int, most: int) -> Sequence[tuple[int, int]]:
    """Return the possible numbers of arguments, and of expressions among them, for ``total`` symbols."""
    return [
        (num, nested)
        for num in range(2, most + 1)
        for nested in ([0] if num == total else range(1, num + 1))
        if num == total or (SMALLEST - 1) * nested <= total - num <= (largest - 1) * nested
    ]


def _median(values: Sequence[int]) -> int:
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) // 2
