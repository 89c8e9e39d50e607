"""Suggestions for an unknown name: the end of an error message."""

import pytest

from ctxlab.config.nearest import either, folded, nearest, suggestion


@pytest.mark.parametrize(
    ("word", "choices", "expected"),
    [
        ("nre", ["qa", "ner"], "; did you mean 'ner'? Choices: qa, ner."),
        ("zzz", ["qa", "ner"], "; choices: qa, ner."),
        ("Tiny-BERT", ["tiny_bert"], "; did you mean 'tiny_bert'? Choices: tiny_bert."),
        ("x", [], "."),
    ],
)
def test_suggestions(word, choices, expected):
    assert suggestion(word, choices) == expected
    assert suggestion(word, iter(choices)) == expected


def test_nearest_by_a_cutoff():
    assert nearest("strategi", ["strategy", "stage"]) == "strategy"
    assert nearest("abcd", ["abxy"], cutoff=0.6) is None


def test_words():
    assert folded("Batch-Size") == "batch_size"
    assert [either(forms) for forms in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a or b", "a, b or c"]
