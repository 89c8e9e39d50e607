"""Marks the tokens at which sentences, paragraphs and headings of a plain text begin.

Blocks of lines are those of ``ctxlab.text.paragraphs``: a block that begins with a heading is not a paragraph, and its
heading is a sentence too. Within a block sentences are those of ``ctxlab.text.sentences``.
"""

from itertools import pairwise

import numpy as np

from ctxlab.core.types import HEADING, PARAGRAPH, SENTENCE, IntArray
from ctxlab.text.paragraphs import blocks
from ctxlab.text.sentences import sentence_starts


def marks_of(text: str, ends: IntArray, language: str = "") -> IntArray:
    """Return (L,) marks of tokens that end at ``ends``; a unit begins with the first token that ends after its
    start."""
    marks = np.zeros(len(ends), dtype=np.int64)
    found: dict[int, set[int]] = {SENTENCE: set(), PARAGRAPH: set(), HEADING: set()}
    for block in blocks(text):
        found[PARAGRAPH if block.heading_end is None else HEADING].add(block.start)
        found[SENTENCE].add(block.start)
        body = block.start if block.heading_end is None else block.heading_end
        found[SENTENCE].update(sentence_starts(text, body, block.end, language))
        if block.heading_end is not None and block.heading_end < block.end:
            found[SENTENCE].add(block.heading_end)
    for mark, places in found.items():
        tokens = np.searchsorted(ends, np.asarray(sorted(places), dtype=np.int64), side="right")
        marks[np.unique(tokens[tokens < len(ends)])] += mark
    return marks


def sentence_places(text: str) -> list[tuple[int, int]]:
    """Return first and last character (not included) of each sentence and heading, with the white space after it."""
    marks = marks_of(text, np.arange(1, len(text) + 1))
    starts = np.flatnonzero(marks & SENTENCE).tolist()
    return list(pairwise([*starts, len(text)]))
