import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlab.comparison.holm import adjusted, unreachable
from ctxlab.comparison.permutation import smallest_p


def test_holm_by_hand():
    """0.005 · 4, 0.01 · 3, 0.03 · 2, and 0.04, which may not fall below the one before."""
    assert adjusted([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjusted([0.7, 0.6]) == [1, 1]
    assert adjusted([0.2]) == [0.2]
    assert adjusted([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_between_nothing_and_bonferroni_and_in_order(p_values):
    found = adjusted(p_values)
    for p, holm in zip(p_values, found, strict=True):
        assert p <= holm <= min(1, len(p_values) * p) or holm == pytest.approx(p)
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    assert [found[index] for index in order] == sorted(found)


@pytest.mark.parametrize(
    ("num_documents", "num_candidates", "reachable"),
    [(5, 1, False), (6, 1, True), (6, 2, False), (7, 2, True), (7, 5, False), (8, 5, True), (300, 499, True)],
)
def test_what_holm_can_reach(num_documents, num_candidates, reachable):
    """2 · 0.5ⁿ · candidates at most 0.05: 0.0625, 0.03125, 0.0625, 0.03125, 0.078, 0.039."""
    sentence = unreachable(smallest_p(num_documents), num_candidates, num_documents)
    assert (sentence is None) == reachable


def test_the_sentence_names_what_would_do():
    sentence = unreachable(smallest_p(6), 4, 6)
    assert "with 6 documents that differ the smallest p-value is 0.031" in sentence
    assert "times 4 candidates is above 0.05" in sentence
    assert "at least 8 documents that differ" in sentence  # 4 · 2⁻⁷ = 0.031
    assert "at most" not in sentence, "with one candidate 0.031 would do, but a comparison of one is no choice"
    assert "or at most 3 candidates." in unreachable(smallest_p(7), 4, 7)
