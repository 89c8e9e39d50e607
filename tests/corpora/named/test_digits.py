"""Digits as pixels: those of scikit-learn, enlarged and read by columns; what does not fit is refused."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from ctxlab.core.errors import UserError
from ctxlab.corpora.named.digits import COUNTS
from ctxlab.data.sources.generated import Generated


def images(split, pixels, count=None):
    counts = dict.fromkeys(("documents", "validation_documents", "test_documents"), count)
    found = Generated(**counts, words_per_document=pixels, corpus="digits").load("classification", split, 1)
    return [record.fields for record in found]


def intensities(record):
    """The first of a pixel's numbers."""
    return record["pixels"][:, 0]


def test_every_image_is_in_one_split():
    found = [(tuple(intensities(one).tolist()), one["label"]) for split in COUNTS for one in images(split, 64)]
    library = load_digits()
    rows = [(tuple((image.T.ravel() / 16).tolist()), str(label)) for image, label in zip(library.images, library.target,
                                                                                        strict=True)]  # fmt: skip
    assert len(found) == len(library.target)
    assert sorted(found) == sorted(rows)


def test_each_pixel_of_an_enlarged_image_is_that_of_the_small_one():
    (small,), (large,) = images("train", 64, 1), images("train", 1024, 1)
    assert small["label"] == large["label"]
    square = intensities(large).reshape(32, 32)
    assert np.array_equal(square[::4, ::4].ravel(), intensities(small))
    assert np.array_equal(square, np.kron(square[::4, ::4], np.ones((4, 4))))


def test_the_sums_of_a_pixel_s_numbers_are_a_cosine_transform():
    from scipy.fft import dctn

    (large,) = images("test", 1024, 1)
    square = intensities(large).reshape(32, 32)
    assert np.allclose(large["pixels"].sum(0).reshape(4, 4), dctn(square, type=2)[:4, :4] / 4, rtol=1e-4, atol=1e-3)


def test_the_first_pixels_say_little_and_all_of_them_what_it_is():
    """A linear model, which is independent of ours: 62 pixels are what truncation at 64 tokens reads."""
    train, test = (images(split, 1024) for split in ("train", "test"))
    pixels = [np.array([intensities(one) for one in part]) for part in (train, test)]
    labels = [[one["label"] for one in part] for part in (train, test)]
    scores = []
    for count in (62, 1024):
        given, asked = (part[:, :count:8] for part in pixels)
        scores.append(LogisticRegression(max_iter=200, C=10).fit(given, labels[0]).score(asked, labels[1]))
    assert scores[0] < 0.2
    assert scores[1] > 0.9


@pytest.mark.parametrize(
    ("pixels", "count", "message"),
    [
        (3000, None, "no image of data.words_per_document=3000 pixels: give 64, 256, 1024 or 4096"),
        (100, None, "no image of data.words_per_document=100 pixels"),
        (64, 2000, "has 1,197 images to give as train documents"),
    ],
)
def test_what_cannot_work_is_refused(pixels, count, message):
    with pytest.raises(UserError, match=message):
        images("train", pixels, count)
