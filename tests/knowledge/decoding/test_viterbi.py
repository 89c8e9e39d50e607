"""Viterbi decoding, against trying all sequences."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ctxlab.knowledge.decoding.viterbi import best_sequence, num_forbidden

LABELS, MOST_WORDS = 3, 5

UNTIMED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

SCORES = st.integers(1, MOST_WORDS).flatmap(
    lambda words: arrays(np.float64, (words, LABELS), elements=st.one_of(st.floats(-9, 0), st.just(-np.inf)))
)
FIRST, FOLLOWING = arrays(np.bool_, LABELS), arrays(np.bool_, (LABELS, LABELS))


def sums(scores, first, following):
    """Every allowed sequence with its sum of scores."""
    for labels in product(range(LABELS), repeat=len(scores)):
        if first[labels[0]] and all(following[a, b] for a, b in pairwise(labels)):
            yield sum(row[label] for row, label in zip(scores, labels, strict=True)), labels


@UNTIMED
@given(SCORES, FIRST, FOLLOWING)
def test_no_allowed_sequence_is_better(scores, first, following):
    possible = {labels: total for total, labels in sums(scores, first, following) if total > -np.inf}
    assume(possible)
    found = best_sequence(scores, first, following)
    assert possible[tuple(found)] == pytest.approx(max(possible.values()), abs=1e-12)
    assert num_forbidden(found, first, following) == 0


@UNTIMED
@given(SCORES, FIRST, FOLLOWING)
def test_where_no_sequence_is_allowed_it_says_so(scores, first, following):
    assume(not any(total > -np.inf for total, _ in sums(scores, first, following)))
    with pytest.raises(ValueError, match=f"No sequence of {len(scores)} labels"):
        best_sequence(scores, first, following)


@UNTIMED
@given(SCORES)
def test_without_a_rule_each_word_has_its_best_label(scores):
    assume(np.isfinite(scores.max(axis=1)).all())
    free = np.ones(LABELS, np.bool_), np.ones((LABELS, LABELS), np.bool_)
    found = best_sequence(scores, *free)
    assert scores[np.arange(len(scores)), found] == pytest.approx(scores.max(axis=1), abs=1e-12)  # sums are rounded


@UNTIMED
@given(st.lists(st.integers(0, LABELS - 1), max_size=MOST_WORDS), FIRST, FOLLOWING)
def test_forbidden_transitions_are_counted_one_by_one(labels, first, following):
    expected = sum(not first[label] for label in labels[:1])
    expected += sum(not following[a, b] for a, b in pairwise(labels))
    assert num_forbidden(np.array(labels, np.int64), first, following) == expected


def test_an_empty_document_has_no_labels():
    assert best_sequence(np.zeros((0, 2)), np.ones(2, np.bool_), np.ones((2, 2), np.bool_)).tolist() == []
