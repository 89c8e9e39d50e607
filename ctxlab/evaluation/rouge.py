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

KEPT = 4096
"""Pairs whose scores are kept, as baselines are scored again and again while a model is trained."""


@lru_cache(KEPT)
def rouge(summary: str, gold: str) -> tuple[float, ...]:
    """F measures of ``TYPES``, 0 to 1."""
    if not summary.strip():
        return (0.0,) * len(TYPES)
    scores = _scorer().score(lines(gold), lines(summary))
    return tuple(float(scores[kind].fmeasure) for kind in TYPES)


def lines(text: str) -> str:
    """A sentence a line."""
    return "\n".join(squeezed(sentence) for sentence in sentences(text))


@lru_cache(KEPT)
def words(text: str) -> Sequence[str]:
    """Words as ROUGE has them, not stemmed."""
    return tuple(units(text.lower()))


@cache
def _scorer() -> Any:
    return _library("rouge_scorer").RougeScorer(TYPES, tokenizer=_Tokenizer())


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
