"""Associative recall: pairs of word and digit; the question asks for the digit of one word."""

from collections.abc import Sequence

from ctxlab.corpora.grammar.codes import codes
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.probe import FORMS, Probe, Sample, check_count

DIGITS = tuple(map(str, range(10)))


class AssociativeRecall(Probe):
    """``bada 4 kuri 7 …``: which digit follows ``kuri``?

    Source: the synthetic task of Ba et al. 2016 (arXiv:1610.06258), as used for language models in Fu et al. 2022
    (arXiv:2212.14052) and Arora et al. 2023 (arXiv:2312.04927). Deviations: keys are words of syllables, so that there
    are always enough, and each occurs once; values are the ten digits; the question names the key.
    """

    def __init__(
        self,
        form: str = "classification",
        lengths: Sequence[int] = (64,),
        depths: Sequence[float] = (0.5,),
        syllables: int = 1,
    ) -> None:
        """Check and store the options.

        Args:
            form: How an encoder answers: ``classification`` or ``marking``.
            lengths: Words of text and question, plus about 16 around them; the documents cycle through them.
            depths: Fraction of the pairs before the one asked for, 0 to 1; all equally often.
            syllables: Minimum syllables of a key, 1 to 4; more where there are not enough words.
        """
        super().__init__(form, lengths, depths, FORMS)
        check_count("syllables", syllables, 1, 4)
        self._syllables = syllables

    def least(self) -> int:
        """Return the words of two pairs."""
        return 4

    def question_words(self) -> int:
        """Return the length of the only question."""
        return 4

    def write(self, draw: Draw, split: str, num_words: int, depth: float) -> Sample:
        """Write pairs; a text of odd length is a word shorter."""
        keys = codes(num_words // 2, draw, self._syllables)
        values = draw.many(len(keys), 10).tolist()
        asked = round(depth * (len(keys) - 1))
        width = len(keys[0]) + 3
        text = " ".join(f"{key} {value}" for key, value in zip(keys, values, strict=True))
        start = asked * width + width - 2
        return Sample(
            text, f"What is {keys[asked]}?", answers=[str(values[asked])], spans=[[start, start + 1]], choices=DIGITS
        )
