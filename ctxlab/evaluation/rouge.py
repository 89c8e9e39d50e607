"""ROUGE by the ``rouge-score`` library (Lin 2004), the implementation that papers on summarization report.

Figures are F measures with Porter's stemmer. ROUGE-L compares whole texts; ROUGE-Lsum takes the union of the best
matches of each sentence. Sentences are those of ``tasks.text.structure``, as the library's own splitter needs a
download.

The library's own tokenizer only knows words of the letters a to z and digits. The one here gives the same for English,
and ``ctxlab.text.units`` in every other script: words with all of their letters and marks, and single characters where
there are no blanks, as summaries of Chinese are scored (Hu et al. 2015, arXiv:1506.05865).
"""

import importlib
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from functools import cache, lru_cache
from typing import Any

from ctxlab.evaluation.sentences import sentences
from ctxlab.text.units import squeezed, units

TYPES = ("rouge1", "rouge2", "rougeL", "rougeLsum")

FEWER = (0, 1, 0, 0)
"""Number of words minus number of n-grams of a text, for each of ``TYPES``."""

KEPT = 4096
"""Size of the cache of scored pairs, as baselines are scored in every evaluation of a training run."""


Matches = tuple[int, int, int]
"""Counts of matches, of the summary and of the gold summary: n-grams, or words of a common subsequence."""


@lru_cache(KEPT)
def rouge(summary: str, gold: str) -> tuple[float, ...]:
    """Return the F measures of ``TYPES``, 0 to 1."""
    return tuple(f_measure(*counts) for counts in matches(summary, gold))


@lru_cache(KEPT)
def matches(summary: str, gold: str) -> tuple[Matches, ...]:
    """Return the counts of each of ``TYPES``; the library returns ratios, which are multiplied by denominators."""
    given, wanted = _num_words(summary), _num_words(gold)
    if not given:
        return tuple((0, 0, max(wanted - less, 0)) for less in FEWER)
    scores = _scorer().score(lines(gold), lines(summary))
    every = ((max(given - less, 0), max(wanted - less, 0)) for less in FEWER)
    return tuple(
        (round(scores[kind].precision * ours), ours, theirs) for kind, (ours, theirs) in zip(TYPES, every, strict=True)
    )


def f_measure(matched: int, given: int, wanted: int) -> float:
    """Return the harmonic mean of precision and recall, 0 where nothing matches."""
    precision, recall = matched / max(given, 1), matched / max(wanted, 1)
    return 2 * precision * recall / (precision + recall) if matched else 0.0


def _num_words(text: str) -> int:
    return len(_tokenizer().tokenize(lines(text))) if text.strip() else 0


def lines(text: str) -> str:
    """Return the text with one sentence per line."""
    return "\n".join(squeezed(sentence) for sentence in sentences(text))


@lru_cache(KEPT)
def words(text: str) -> Sequence[str]:
    """Return the words that ROUGE compares, before stemming."""
    return tuple(units(text.lower()))


@cache
def _scorer() -> Any:
    return _library("rouge_scorer").RougeScorer(TYPES, tokenizer=_tokenizer())


@cache
def _tokenizer() -> "_Tokenizer":
    return _Tokenizer()


class _Tokenizer:
    """Implements the library's tokenizer interface: ``words``, English ones stemmed as by its own tokenizer."""

    def __init__(self) -> None:
        self._stemmer = _library("tokenizers").DefaultTokenizer(use_stemmer=True)

    def tokenize(self, text: str) -> list[str]:
        """Return the stemmed words of a text."""
        return [stem for word in words(text) for stem in (self._stem(word) if word.isascii() else [word])]

    @lru_cache(KEPT * 16)  # noqa: B019 - one tokenizer per process
    def _stem(self, word: str) -> list[str]:
        return list(self._stemmer.tokenize(word))


def _library(module: str) -> Any:
    """Import a module of the library when it is first used.

    The library logs by absl, which keeps the current ``sys.stderr`` (such as a progress display's) and closes it when
    logging is reconfigured. During the import it is therefore the real one, which absl leaves open.
    """
    with redirect_stderr(sys.__stderr__):
        return importlib.import_module(f"rouge_score.{module}")
