"""Entities as suggestions."""

from dataclasses import replace

import pytest

from ctxlab.core.data import Record
from ctxlab.core.labelling import Kept, Suggestion
from ctxlab.tasks.ner import NER
from tests.labelling.guesses import ENTITIES, tagged


def test_what_is_written_reads_back_as_the_same_entities():
    guess = tagged("a", [("B-PER", 0.9), ("I-PER", 0.9), ("B-PER", 0.9), ("O", 0.9), ("B-LOC", 0.9)])
    document = replace(guess.document, fields={**guess.document.fields, "sentence_starts": [0, 3], "language": "de"})
    line = ENTITIES.line(Kept(guess.record, document, guess.suggestions))
    read = NER().parse(line, "x line 1", gold=True)
    assert read.fields["tags"] == ["B-PER", "I-PER", "B-PER", "O", "B-LOC"]
    assert read.fields["sentence_starts"] == [0, 3]
    assert line["language"] == "de"


def test_a_repaired_tag_is_as_sure_as_the_tag_that_the_model_chose():
    guess = tagged("a", [("O", 0.9), ("I-PER", 0.8), ("I-PER", 0.7)])
    assert guess.suggestions == (Suggestion("PER", pytest.approx(0.7), 1, 3),)
    assert tagged("b", [("I-PER", 0.8)]).suggestions == (Suggestion("PER", pytest.approx(0.8), 0, 1),)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({"tags": ["O"]}, True), ({"spans": []}, True), ({"spans": None}, False), ({"text": "a"}, False)],
)
def test_gold_is_found_in_every_form(fields, expected):
    assert ENTITIES.has_gold(Record(fields, "x")) is expected
