"""Passkey: one number, somewhere in a meaningless text."""

from collections.abc import Sequence

from ctxlab.corpora.grammar.codes import numbers
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.haystack import Fact, Group, hide
from ctxlab.corpora.grammar.probe import FORMS, Probe, Sample, check_count, check_haystack

DIGITS = 5
QUESTION = "What is the key?"


class Passkey(Probe):
    """A text hides one key, and asks for it.

    Source: Mohtashami and Jaggi 2023 (arXiv:2305.16300), section 4.2. Deviations: the key occurs once, and is from
    a closed list of ``keys`` numbers, the same in every split, so that an encoder can choose: chance is 1 / ``keys``.
    """

    def __init__(
        self,
        form: str = "classification",
        lengths: Sequence[int] = (64,),
        depths: Sequence[float] = (0.5,),
        haystack: str = "noise",
        keys: int = 10,
    ) -> None:
        """Check and store the options.

        Args:
            form: How an encoder answers: ``classification`` or ``marking``.
            lengths: Words of text and question, plus about 16 around them; the documents cycle through them.
            depths: Fraction of the filler before the evidence, 0 to 1; all equally often.
            haystack: Filler: ``noise`` (a few repeated sentences) or ``prose`` (sentences of the other generated
                corpora).
            keys: Number of distinct keys to draw from, 2 to 1,000.
        """
        super().__init__(form, lengths, depths, FORMS)
        check_count("keys", keys, 2, 1000)
        check_haystack(haystack)
        self._haystack, self._keys = haystack, numbers(keys, DIGITS)

    def least(self) -> int:
        """Return the words of the sentence and a few more."""
        return 8

    def question_words(self) -> int:
        """Return the length of the only question."""
        return 5

    def write(self, draw: Draw, split: str, num_words: int, depth: float) -> Sample:
        """Write a text that differs from others only in the key, its place and the filler."""
        key = draw.one(self._keys)
        hidden = hide([Group([Fact(["The", "key", "is", key, "."], key)], depth)], num_words, self._haystack, draw)
        return Sample(hidden.text, QUESTION, answers=[key], spans=hidden.spans[0], choices=self._keys)
