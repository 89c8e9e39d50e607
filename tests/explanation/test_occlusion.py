"""Occlusion of a linear function gives its terms; stretches cover every unit and share what they hide."""

import numpy as np
import pytest

from ctxlab.core.errors import UserError
from ctxlab.core.explanation import SENTENCE
from ctxlab.explanation.occlusion import Occlusion
from tests.explanation.subjects import NOTHING, Game

WEIGHTS = np.array([2.0, -1.0, 0.0, 0.5, 3.0])


def linear(there):
    return float(WEIGHTS[there].sum())


def test_a_linear_function_gives_its_terms():
    subject = Game(linear, 5)
    for unit in ("word", SENTENCE):
        found = Occlusion(unit=unit).attribute(subject, NOTHING)
        np.testing.assert_allclose(found.values, WEIGHTS)
        assert (found.unit, found.score) == (unit, WEIGHTS.sum())


def test_stretches_slide_and_divide_what_they_hide():
    found = Occlusion(size=2, stride=2).attribute(Game(linear, 5), NOTHING)
    # [0, 1], [2, 3] and, so that the last unit is hidden, [3, 4]
    np.testing.assert_allclose(found.values, [0.5, 0.5, 0.25, (0.25 + 1.75) / 2, 1.75])
    assert found.facts == {"variants": 3}
    found = Occlusion(size=9).attribute(Game(linear, 5), NOTHING)
    np.testing.assert_allclose(found.values, WEIGHTS.sum() / 5)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"unit": "letter"}, "explanation.unit=letter is not known: use word or sentence"),
        ({"size": 0}, "explanation.size=0 is too small"),
        ({"size": 2, "stride": 3}, "explanation.stride=3 with explanation.size=2 .* from 1 to 2"),
    ],
)
def test_bad_options(options, expected):
    with pytest.raises(UserError, match=expected):
        Occlusion(**options)


def test_a_document_that_is_too_long_is_refused_with_what_can():
    with pytest.raises(
        UserError, match=r"5 words would be read 5 times.* explanation.most=4: use explanation.unit=sen"
    ):
        Occlusion(most=4).attribute(Game(linear, 5), NOTHING)
    with pytest.raises(UserError, match=r"most=4: use explanation=gradient"):
        Occlusion(unit="sentence", most=4).attribute(Game(linear, 5), NOTHING)
