"""Tones in noise: the spectrum says which one sounds, the first quarter does not; what is too short is refused."""

import numpy as np
import pytest

from ctxlab.core.errors import UserError
from ctxlab.corpora.named.tones import PERIODS, REACH
from ctxlab.data.sources.generated import Generated


def sounds(split="train", samples=256, count=80, seed=1):
    counts = dict.fromkeys(("documents", "validation_documents", "test_documents"), count)
    found = Generated(**counts, words_per_document=samples, corpus="tones").load("classification", split, seed)
    return [record.fields for record in found]


def heard(record, first, last):
    """Oracle: the tone with the most power at its frequency in any window of a quarter of the samples."""
    values = record["samples"][first:last, 0]
    width = len(record["samples"]) // 4
    windows = np.lib.stride_tricks.sliding_window_view(values, width)
    waves = {name: np.exp(-2j * np.pi * np.arange(width) / period) for name, period in PERIODS.items()}
    power = {name: np.abs(windows @ wave).max() for name, wave in waves.items()}
    return max(power, key=power.__getitem__)


@pytest.mark.parametrize("samples", [256, 1000])
def test_the_spectrum_says_which_tone_sounds_and_that_of_the_first_quarter_does_not(samples):
    found = sounds(samples=samples)
    assert {record["label"] for record in found} == set(PERIODS)
    assert all(heard(record, 0, samples) == record["label"] for record in found)
    assert np.mean([heard(record, 0, samples // 4) == record["label"] for record in found]) < 0.45


def test_a_sample_has_its_value_and_those_before_it():
    (record,) = sounds(count=1)
    values = record["samples"][:, 0]
    assert record["samples"].shape == (256, REACH)
    for place in (0, 3, 100, 255):
        before = [values[place - back] if place >= back else 0.0 for back in range(REACH)]
        assert record["samples"][place].tolist() == before
    assert 0.7 < values.std() < 1.3


def test_sounds_depend_on_seed_split_and_index_alone():
    def first(**given):
        return sounds(count=2, **given)[1]["samples"]

    assert np.array_equal(first(), sounds(count=9)[1]["samples"])
    for other in (first(seed=2), first(split="test")):
        assert not np.array_equal(first(), other)


def test_too_few_samples_are_refused():
    with pytest.raises(UserError, match=r"no tone in data.words_per_document=60 samples: give 64 or more"):
        sounds(samples=60)
