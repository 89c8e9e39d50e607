"""Common words: a list of words in which some are much more frequent than the others."""

from collections.abc import Sequence

from ctxlab.corpora.grammar.codes import codes
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.probe import Probe, Sample, check_count
from ctxlab.corpora.grammar.shuffled import shuffled_text


class CommonWords(Probe):
    """``common`` words occur ``common_times`` each, all others at most ``other_times``: which are the common ones?

    Source: RULER (Hsieh et al. 2024, arXiv:2404.06654), common words extraction: 10 words, 30 times against 3.
    Deviations: words are made of syllables, and are not numbered; where a text is too short, so that the common words
    would take more than half of it, all words are less frequent in the same ratio, but common ones always occur at
    least once more. The evidence is everywhere, so that there is no depth.
    """

    def __init__(
        self,
        form: str = "marking",
        lengths: Sequence[int] = (128,),
        common: int = 10,
        common_times: int = 30,
        other_times: int = 3,
    ) -> None:
        """Check and store the options.

        Args:
            form: How an encoder answers: ``marking``.
            lengths: Words of text and question, plus about 16 around them; the documents cycle through them.
            common: Number of common words, 1 to 1,000, all asked for.
            common_times: Occurrences of each, more than ``other_times``, where the text is long enough.
            other_times: Maximum occurrences of every other word, at least 1.
        """
        super().__init__(form, lengths, None, ("marking",))
        check_count("common", common, 1, 1000)
        check_count("other_times", other_times, 1)
        check_count("common_times", common_times, other_times + 1)
        self._common, self._common_times, self._other_times = common, common_times, other_times

    def least(self) -> int:
        """Return the words of every common word twice."""
        return 2 * self._common

    def question_words(self) -> int:
        """Return the length of the only question."""
        return 8

    def write(self, draw: Draw, split: str, num_words: int, depth: float) -> Sample:
        """Determine the counts, then draw the order."""
        often = min(self._common_times, max(num_words // (2 * self._common), 2))
        others = max(min(often * self._other_times // self._common_times, often - 1), 1)
        left = num_words - self._common * often
        words = codes(self._common - (-left // others), draw)
        counts = [often] * self._common + [others] * (len(words) - self._common)
        if left % others:
            counts[-1] = left % others
        common = words[: self._common]
        text, spans = shuffled_text(words, counts, common, draw)
        return Sample(text, f"What are the {self._common} most common words?", common, spans)
