"""Confusions of characters that look alike."""

from ctxlab.augment.ocr import ALIKE, CONFUSIONS, OCR
from ctxlab.core.augmentation import generator
from ctxlab.core.types import Document
from tests.augment.test_typos import words


def read(word, times=500):
    draw = generator(Document("d", {}, ""), 1, 0)
    return {OCR(dose=1.0).other(words(word), 0, draw) for _ in range(times)}


def test_all_confusions_of_a_word_occur_and_no_other():
    assert read("barn") == {"bam", "harn", "6arn", "born", "baru"}
    assert read("10") == {"l0", "1O"}
    assert read("cl") == {"d", "el", "c1", "cI"}


def test_confusions_go_both_ways_and_change_something():
    assert {(b, a) for a, b in CONFUSIONS} == set(CONFUSIONS)
    assert all(a != b for a, b in ALIKE)
    assert {("rn", "m"), ("0", "O"), ("1", "l")} <= set(CONFUSIONS)


def test_a_word_without_such_a_character_stays():
    assert not OCR(dose=1.0).able(words("..."), 0)
    assert not OCR(dose=1.0).able(words("人"), 0)
