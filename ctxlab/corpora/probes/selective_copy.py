"""Selective copying: a few digits in a text of blanks; the question asks for one of them by its index."""

from collections.abc import Sequence

from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.probe import FORMS, Probe, Sample, check_count

DIGITS = tuple(map(str, range(10)))
BLANK = "no"


class SelectiveCopy(Probe):
    """``no no 4 no 7 no no``: which is number 2?

    Source: Jing et al. 2019 (arXiv:1706.02761) with the random gaps of Gu and Dao 2023 (arXiv:2312.00752). Deviation:
    an encoder cannot generate a copy, so that the question asks for one element by its index, counted from 1, which
    requires counting all elements before it. The depth is the position of that element in the text.
    """

    def __init__(
        self,
        form: str = "classification",
        lengths: Sequence[int] = (64,),
        depths: Sequence[float] = (0.5,),
        items: int = 8,
    ) -> None:
        """Check and store the options.

        Args:
            form: How an encoder answers: ``classification`` or ``marking``.
            lengths: Words of text and question, plus about 16 around them; the documents cycle through them.
            depths: Fraction of the text before the digit asked for, 0 to 1; all equally often.
            items: Digits per text, 2 to 1,000.
        """
        super().__init__(form, lengths, depths, FORMS)
        check_count("items", items, 2, 1000)
        self._items = items

    def least(self) -> int:
        """Return the number of the items and as many blanks."""
        return 2 * self._items

    def question_words(self) -> int:
        """Return the length of the only question."""
        return 5

    def write(self, draw: Draw, split: str, num_words: int, depth: float) -> Sample:
        """Choose the place of the element asked for, then of those before and after it."""
        place = round(depth * (num_words - 1))
        fewest = max(0, self._items - (num_words - place))
        before = fewest + draw.below(min(self._items - 1, place) - fewest + 1)
        places = sorted(
            [
                place,
                *draw.different(before, max(place, 1)).tolist(),
                *(place + 1 + draw.different(self._items - 1 - before, max(num_words - place - 1, 1))).tolist(),
            ]
        )
        digits = draw.many(self._items, 10).tolist()
        words = [BLANK] * num_words
        for at, digit in zip(places, digits, strict=True):
            words[at] = str(digit)
        start = (len(BLANK) + 1) * (place - before) + 2 * before
        return Sample(
            " ".join(words),
            f"What is number {before + 1}?",
            answers=[str(digits[before])],
            spans=[[start, start + 1]],
            choices=DIGITS,
        )
