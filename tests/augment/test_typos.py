"""Typing errors, against a keyboard written down by hand and all single errors of a word."""

from ctxlab.augment.changing.passage import Passage
from ctxlab.augment.typos import NEIGHBOURS, Typos
from ctxlab.core.augmentation import generator
from ctxlab.core.types import Document

BESIDE = {"q": "aw", "a": "qswz", "g": "bfhtvy", "p": "lo", "m": "jkn", "z": "asx"}
"""Keys that touch a key, from a picture of a QWERTY keyboard."""


def words(*units):
    return Passage(units, [(i, i + 1) for i in range(len(units))], (), (), frozenset(), False)


def errors(word, times=600):
    draw = generator(Document("d", {}, ""), 1, 0)
    typos = Typos(dose=1.0)
    return {typos.other(words(word), 0, draw) for _ in range(times)}


def test_neighbours_are_the_keys_around_a_key():
    for key, beside in BESIDE.items():
        assert set(NEIGHBOURS[key]) == set(beside), key
    assert all(key in NEIGHBOURS[other] for key, beside in NEIGHBOURS.items() for other in beside)
    assert len(NEIGHBOURS) == 26


def test_all_single_errors_of_a_word_occur_and_no_other():
    omitted = {"ag", "bg", "ba"}
    swapped = {"abg", "bga"}
    beside = {
        **{f"{other}ag": 0 for other in NEIGHBOURS["b"]},
        **{f"b{other}g": 0 for other in NEIGHBOURS["a"]},
        **{f"ba{other}": 0 for other in NEIGHBOURS["g"]},
    }
    assert errors("bag") == omitted | swapped | set(beside)


def test_capitals_and_other_scripts_keep_their_shape():
    assert all(one.isupper() for one in errors("BAG", 100))
    assert all(not one or one[0].isupper() or one[0] in "Aa" for one in errors("Bag", 100))
    cyrillic = errors("дом", 200)
    assert cyrillic == {"ом", "дм", "до", "одм", "дмо"}
    assert errors("e\u0301te\u0301", 200) >= {"te\u0301", "e\u0301t"}  # an accent goes with its letter


def test_short_words_numbers_and_marks_stay():
    typos = Typos(dose=1.0)
    assert [typos.able(words(word), 0) for word in ("of", "1984", ".", "人", "the", "U.S.A")] == [
        False, False, False, False, True, True,
    ]  # fmt: skip
