"""ROUGE as the ``rouge-score`` library has it (Lin 2004), the implementation that papers on summarisation report.

F measures with Porter's stemmer. ROUGE-L is over the whole text; ROUGE-Lsum joins the best match of each sentence, and
sentences are those of ``tasks.text.structure``, a line each, as the library's own splitter needs a download.

The library's own tokenizer counts only words of the letters a to z and digits. Ours gives the same for English, and in
every other script its ``ctxlab.text.units``: words with all of their letters and marks, and single characters where
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
"""How many fewer n-grams than words a text has, of each of ``TYPES``."""

KEPT = 4096
"""Pairs whose scores are kept, as baselines are scored again and again while a model is trained."""


Matches = tuple[int, int, int]
"""What matches, what the summary has, and what the gold summary has: n-grams, or words of a common subsequence."""


@lru_cache(KEPT)
def rouge(summary: str, gold: str) -> tuple[float, ...]:
    """F measures of ``TYPES``, 0 to 1."""
    return tuple(f_measure(*counts) for counts in matches(summary, gold))


@lru_cache(KEPT)
def matches(summary: str, gold: str) -> tuple[Matches, ...]:
    """Of each of ``TYPES``; the library gives shares, which times their denominators are its counts."""
    given, wanted = _num_words(summary), _num_words(gold)
    if not given:
        return tuple((0, 0, max(wanted - less, 0)) for less in FEWER)
    scores = _scorer().score(lines(gold), lines(summary))
    every = ((max(given - less, 0), max(wanted - less, 0)) for less in FEWER)
    return tuple(
        (round(scores[kind].precision * ours), ours, theirs) for kind, (ours, theirs) in zip(TYPES, every, strict=True)
    )


def f_measure(matched: int, given: int, wanted: int) -> float:
    """Harmonic mean of precision and recall, 0 where nothing matches."""
    precision, recall = matched / max(given, 1), matched / max(wanted, 1)
    return 2 * precision * recall / (precision + recall) if matched else 0.0


def _num_words(text: str) -> int:
    return len(_tokenizer().tokenize(lines(text))) if text.strip() else 0


def lines(text: str) -> str:
    """A sentence a line."""
    return "\n".join(squeezed(sentence) for sentence in sentences(text))


@lru_cache(KEPT)
def words(text: str) -> Sequence[str]:
    """Words as ROUGE has them, not stemmed."""
    return tuple(units(text.lower()))


@cache
def _scorer() -> Any:
    return _library("rouge_scorer").RougeScorer(TYPES, tokenizer=_tokenizer())


@cache
def _tokenizer() -> "_Tokenizer":
    return _Tokenizer()


class _Tokenizer:
    """What the library asks of a tokenizer: ``words``, English ones stemmed as its own tokenizer stems them."""

    def __init__(self) -> None:
        self._stemmer = _library("tokenizers").DefaultTokenizer(use_stemmer=True)

    def tokenize(self, text: str) -> list[str]:
        """Words of a text."""
        return [stem for word in words(text) for stem in (self._stem(word) if word.isascii() else [word])]

    @lru_cache(KEPT * 16)  # noqa: B019 - one tokenizer, for all that the process scores
    def _stem(self, word: str) -> list[str]:
        return list(self._stemmer.tokenize(word))


def _library(module: str) -> Any:
    """A module of the library, imported late.

    It logs by absl, which takes hold of what stands for standard error then, a progress display say, and closes it when
    logging is configured anew: it is to hold the real one, which it leaves open.
    """
    with redirect_stderr(sys.__stderr__):
        return importlib.import_module(f"rouge_score.{module}")
