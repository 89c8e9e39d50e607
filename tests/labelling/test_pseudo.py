"""Pseudo-labels: what is kept, dropped, left out and counted, by hand."""

from collections import Counter

import numpy as np
import pytest

from ctxlab.core.errors import UserError
from ctxlab.labelling.pseudo import Pseudo
from tests.labelling.guesses import ENTITIES, ONE, SEVERAL, classified, pool, tagged


def rows(table):
    return {row[0]: tuple(row[1:]) for row in table.rows}


def test_an_entity_is_as_sure_as_its_least_sure_word_and_dropped_below_the_threshold():
    guesses = [
        tagged("a", [("B-PER", 0.99), ("I-PER", 0.8), ("O", 0.5), ("B-LOC", 0.95)]),
        tagged("b", [("B-PER", 0.9), ("O", 0.6)]),  # exactly at the threshold
    ]
    found = Pseudo(0.9).label(pool(ENTITIES, guesses))
    assert [(line["id"], line["tags"]) for line in found.lines] == [
        ("a", ["O", "O", "O", "B-LOC"]),
        ("b", ["B-PER", "O"]),
    ]
    labels = rows(found.tables[1])
    assert labels["PER"][:3] == (2, 1, 0.5)
    assert labels["PER"][3] == pytest.approx((0.8 + 0.9) / 2)
    assert labels["all"][:3] == (3, 2, 2 / 3)


def test_documents_are_left_out_that_are_unsure_or_not_read_to_the_end():
    guesses = [
        tagged("sure", [("B-PER", 0.95), ("O", 0.5)]),
        tagged("nothing left", [("B-PER", 0.5), ("O", 0.99)]),
        tagged("surely nothing", [("O", 0.95), ("O", 0.9)]),
        tagged("perhaps nothing", [("O", 0.95), ("O", 0.89)]),
        tagged("half read", [("B-PER", 0.99), ("O", 0.99)], unseen=[1]),
    ]
    found = Pseudo(0.9).label(pool(ENTITIES, guesses))
    assert [line["id"] for line in found.lines] == ["sure", "surely nothing"]
    assert [row[1] for row in found.tables[0].rows] == [2, 2, 1]
    assert any("1 documents have parts that the run never read" in note for note in found.notes)


def test_a_document_without_a_sure_label_is_left_out():
    guesses = [classified("a", [0.95, 0.03, 0.02]), classified("b", [0.4, 0.35, 0.25]), classified("c", [0.1, 0.9, 0])]
    found = Pseudo(0.9).label(pool(ONE, guesses))
    assert found.lines == [
        {"id": "a", "text": "text of a", "from": "me", "label": "ham"},
        {"id": "c", "text": "text of c", "from": "me", "label": "spam"},
    ]


def test_of_several_labels_the_least_sure_decides_whether_it_is_there_or_not():
    guesses = [
        classified("a", [0.95, 0.02, 0.91], several=True),
        classified("b", [0.95, 0.2, 0.99], several=True),  # 0.8 that spam is not there
        classified("c", [0.01, 0.02, 0.03], several=True),
    ]
    found = Pseudo(0.9).label(pool(SEVERAL, guesses))
    assert [(line["id"], line["labels"]) for line in found.lines] == [("a", ["ham", "news"]), ("c", [])]


def test_shuffled_entities_are_as_many_of_each_type_and_length_in_each_document_elsewhere():
    given = [("B-PER", 0.99), ("I-PER", 0.99), ("B-LOC", 0.99), *[("O", 0.99)] * 20]
    guesses = [tagged(name, given) for name in "abcdefgh"]
    plain, mixed = (Pseudo(0.9, shuffle=on).label(pool(ENTITIES, guesses)).lines for on in (False, True))
    for one, other in zip(plain, mixed, strict=True):
        assert one["tokens"] == other["tokens"]
        assert Counter(one["tags"]) == Counter(other["tags"])
        assert other["tags"][other["tags"].index("B-PER") + 1] == "I-PER"
    assert len({tuple(line["tags"]) for line in mixed}) > 6
    again = Pseudo(0.9, shuffle=True).label(pool(ENTITIES, guesses)).lines
    other = Pseudo(0.9, shuffle=True, seed=1).label(pool(ENTITIES, guesses)).lines
    assert again == mixed != other


def test_shuffled_labels_have_the_same_shares_and_are_independent_of_the_texts():
    guesses = [classified(str(n), [0.99, 0.01, 0] if n % 4 else [0.01, 0.99, 0]) for n in range(200)]
    plain, mixed = (Pseudo(0.9, shuffle=on).label(pool(ONE, guesses)).lines for on in (False, True))
    before, after = ([line["label"] for line in lines] for lines in (plain, mixed))
    assert Counter(before) == Counter(after) == {"ham": 150, "spam": 50}
    agree = np.mean([one == other for one, other in zip(before, after, strict=True)])
    assert abs(agree - (0.75**2 + 0.25**2)) < 0.1  # chance
    assert [line["text"] for line in plain] == [line["text"] for line in mixed]


def test_gold_judges_what_the_model_never_saw():
    guesses = [
        tagged("a", [("B-PER", 0.99), ("B-LOC", 0.6)]),
        tagged("b", [("B-PER", 0.8), ("O", 0.95)]),
    ]
    gold = {"a": {"tags": ["B-PER", "I-PER"]}, "b": {"tags": ["B-PER", "O"]}}
    found = Pseudo(0.5).label(pool(ENTITIES, guesses, gold))
    # by confidence: 0.99 wrong (the entity is longer), 0.8 right, 0.6 wrong
    assert [row[-1] for row in found.curve.rows] == [1, 1, 1, 1 / 2, 1 / 2, 1 / 2, 2 / 3, 2 / 3, 2 / 3, 2 / 3]
    assert f"{(1 + 1 / 2 + 2 / 3) / 3:.3f}" in found.curve.note
    assert Pseudo(0.5).label(pool(ENTITIES, guesses)).curve is None


def test_nothing_left_is_an_error_that_says_what_would_be_left():
    with pytest.raises(UserError, match=r"label\.threshold=0\.9: the highest confidence is 0\.700"):
        Pseudo(0.9).label(pool(ENTITIES, [tagged("a", [("B-PER", 0.7)]), tagged("b", [("O", 1.0)])]))
    with pytest.raises(UserError, match="All 1 documents have parts that the run never reads"):
        Pseudo(0.9).label(pool(ENTITIES, [tagged("a", [("B-PER", 0.99), ("O", 0.9)], unseen=[1])]))
