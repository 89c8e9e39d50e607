"""Vectors of terms against scikit-learn, and the terms that say most by hand."""

import math
from itertools import combinations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from ctxlab.text.terms import mean_distance, profiles, terms_of, vectors

TEXTS = ["The old harbour", "A harbour at night", "Lamps, old and new", "Ürban lamps", "—", "old old lamps"]


def test_the_mean_distance_is_that_of_all_pairs_of_tf_idf_vectors():
    """Oracle: scikit-learn's vectors of the same terms, and its cosine of each pair."""
    table = TfidfVectorizer(analyzer=terms_of).fit_transform(TEXTS)
    cosines = cosine_similarity(table)
    rows = vectors(TEXTS)
    for chosen in ([0, 1, 2, 3, 4, 5], [0, 2, 5], [3, 4], [1, 1, 0]):
        expected = np.mean([1 - cosines[a, b] for a, b in combinations(chosen, 2)])
        assert mean_distance([rows[i] for i in chosen]) == pytest.approx(expected)
    assert mean_distance([rows[0]]) == mean_distance([]) == 0.0


def test_profiles_by_hand():
    found = profiles([["Boats and ropes", "boats, boats"], ["and lamps"], []], 2)
    # three texts: boats occurs 3 times in 2 of them, ropes and lamps once in 1, and in 2.
    assert 3 * math.log(4 / 3) > math.log(4 / 2) > math.log(4 / 3)
    assert found == [["boats", "ropes"], ["lamps", "and"], []]
    assert profiles([["a b", "a c"]], 5) == [["b", "c"]]
    assert profiles([["one text, one"]], 1) == [["one"]]
