"""Generated sounds as sequences of samples: noise in which one of four tones sounds for a while, which is the class.

The tone is where the first quarter of the samples is over, so that these alone say nothing of it. A sample is a token
without text, whose numbers are its value and those of the samples before it, of which a projection is a linear filter.
Tone and noise have the same power: how loud it is says nothing.
"""

import math
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.corpora.grammar.brief import Brief

TASK = "classification"
"""Task whose records these are."""

PERIODS = {"highest": 4.0, "high": 6.0, "low": 9.0, "lowest": 14.0}
"""Samples of a period of each tone."""

REACH = 16
"""Numbers of a sample: its own value, and those of the samples before it, of which there are none before the first."""

PARTS = 4
"""The tone takes one part in so many of the samples, and none of the first part."""

LEAST = 64
"""Fewest samples of a sound: of the lowest tone it then has more than a period."""

HISS = 0.2
"""Standard deviation of the noise that is also where the tone is; all of a sound has one of 1."""


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``samples``, 16 numbers for each of ``words_per_document`` samples, and ``label`` of a sound.

    - ``probes``: none, as a sound has no text.

    Raises:
        UserError: So few samples have no place for a tone.
    """
    size = brief.words_per_document
    if size < LEAST:
        raise UserError(
            f"data.corpus=tones has no tone in data.words_per_document={size} samples: give {LEAST} or more."
        )
    draw = brief.draw(index)
    label = list(PERIODS)[index % len(PERIODS)]
    length = size // PARTS
    start = length + draw.below(size - 2 * length + 1)
    noise = np.random.default_rng([draw.below(2**31), draw.below(2**31)]).standard_normal(size)
    places = np.arange(length)
    tone = math.sqrt(2) * np.sin(2 * np.pi * (places / PERIODS[label] + draw.share()))
    sound = noise.copy()
    sound[start : start + length] = HISS * noise[start : start + length] + math.sqrt(1 - HISS**2) * tone
    padded = np.concatenate([np.zeros(REACH - 1), sound])
    samples = np.lib.stride_tricks.sliding_window_view(padded, REACH)[:, ::-1]
    return {"samples": samples.astype(np.float32), "label": label}
