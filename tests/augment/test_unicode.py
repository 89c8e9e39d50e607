"""Characters that look the same."""

import unicodedata

import numpy as np
import pytest

from ctxlab.augment.changing.passage import read
from ctxlab.augment.unicode import ALIKE, Unicode
from ctxlab.core.types import Document
from ctxlab.tasks.ner import NER


def forms(word):
    passage = read(Document("a", {"tokens": [word], "tags": ["O"]}, ""), NER())
    change = Unicode(dose=1.0)
    if not change.able(passage, 0):
        return set()
    return {change.other(passage, 0, np.random.default_rng(seed)) for seed in range(60)}


def test_a_word_is_written_in_each_of_three_ways():
    found = forms("Café")
    assert unicodedata.normalize("NFD", "Café") in found
    wide = next(word for word in found if word[0] == "Ｃ")
    assert unicodedata.normalize("NFKC", wide) == "Café"
    homoglyphs = [word for word in found if word not in (wide, unicodedata.normalize("NFD", "Café"))]
    assert len(homoglyphs) == 2  # C and a have one each, f and é none
    assert all(sum(a != b for a, b in zip(word, "Café", strict=True)) == 1 for word in homoglyphs)


@pytest.mark.parametrize("pair", ALIKE.items(), ids=lambda pair: pair[0])
def test_homoglyphs_are_cyrillic_letters_of_the_same_case(pair):
    assert "CYRILLIC" in unicodedata.name(pair[1])
    assert "LATIN" in unicodedata.name(pair[0])
    assert pair[0].isupper() == pair[1].isupper()


def test_marks_and_characters_without_other_forms_stay():
    assert forms(".") == forms("北") == set()
    assert forms("7") == {"７"}
