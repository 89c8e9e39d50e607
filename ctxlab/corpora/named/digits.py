"""Handwritten digits as sequences of pixels: the 8 × 8 images of scikit-learn, enlarged to a chosen number of pixels.

Source: the test set of the optical recognition of handwritten digits (Alpaydin & Kaynak 1998, UCI), 1,797 images that
are in scikit-learn's package. A pixel is a token without text, whose numbers are its intensity, 0 to 1, and that times
waves of its place on both sides of the image (the products of a two-dimensional cosine transform). They are read column
by column from the left, as one writes; the columns at the left edge are nearly always empty, so that the first pixels
alone say little of the digit.
"""

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import FloatArray, IntArray
from ctxlab.corpora.grammar.brief import Brief

TASK = "classification"
"""Task whose records these are."""

COUNTS = {"train": 1197, "validation": 200, "test": 400}
"""Images of each split, all that there are: the same ones for every seed."""

SIDE, HIGHEST = 8, 16
"""Pixels of a side, and the highest intensity, of an image."""

WAVES = 4
"""Waves of each side, the first of which is constant: a pixel has the square of this as numbers."""


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``pixels``, 16 numbers for each of ``words_per_document`` pixels, and ``label`` of an image.

    Raises:
        UserError: There is no such image, it cannot be enlarged to this number of pixels, or there is no scikit-learn.
    """
    factor = math.isqrt(brief.words_per_document) // SIDE
    if (factor * SIDE) ** 2 != brief.words_per_document:
        raise UserError(
            f"data.corpus=digits has no image of data.words_per_document={brief.words_per_document} pixels: give 64, "
            "256, 1024 or 4096, or another square of a multiple of 8."
        )
    if index >= COUNTS[brief.split]:
        raise UserError(
            f"data.corpus=digits has {COUNTS[brief.split]:,} images to give as {brief.split} documents: ask for fewer."
        )
    images, labels = _digits()
    place = _places()[brief.split][index]
    large = np.kron(images[place], np.ones((factor, factor), np.float32))
    return {"pixels": large.T.reshape(-1, 1) * _waves(factor * SIDE), "label": str(labels[place])}


@cache
def _waves(side: int) -> FloatArray:
    """Return (side · side, 16) products of a wave of the column and one of the row, for each pixel."""
    places = (np.arange(side) + 0.5) / side
    waves = np.cos(np.pi * np.outer(places, np.arange(WAVES)))  # (side, 4)
    found: FloatArray = np.einsum("ck,rl->crkl", waves, waves).reshape(side * side, -1).astype(np.float32)
    return found


@cache
def _digits() -> tuple[FloatArray, IntArray]:
    """Return (N, 8, 8) intensities from 0 to 1, and (N,) digits."""
    try:
        from sklearn.datasets import load_digits  # takes a second
    except ImportError:
        raise UserError("data.corpus=digits reads images of scikit-learn: run pip install 'ctxlab[digits]'.") from None
    found = load_digits()
    return (found.images / HIGHEST).astype(np.float32), found.target.astype(np.int64)


@cache
def _places() -> Mapping[str, IntArray]:
    """Return the places of the images of each split, shuffled as one writer wrote several in sequence."""
    order = np.random.default_rng(0).permutation(sum(COUNTS.values()))
    ends = np.cumsum([0, *COUNTS.values()])
    return {split: order[first:end] for split, first, end in zip(COUNTS, ends[:-1], ends[1:], strict=True)}
