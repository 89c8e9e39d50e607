"""Starts of sentences and global words: lists of ascending word indices, and nothing else."""

import numpy as np
import pytest

from ctxlab.core.errors import UserError
from ctxlab.tasks.ner import NER
from ctxlab.tasks.relation import Relation

WORDS = ["Ora", "met", "Tarn", "Velm"]
RECORDS = {
    "ner": (NER, {"tokens": WORDS, "tags": ["B-P", "O", "B-L", "B-L"]}),
    "relation": (Relation, {"tokens": WORDS, "entities": [], "relations": []}),
}


@pytest.mark.parametrize("task", RECORDS)
@pytest.mark.parametrize("field", ["sentence_starts", "global_words"])
@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([0, 4], r"\[1\]' .* is 4: .* from 0 to 3"),
        ([-1, 0], r"\[0\]' .* is -1"),
        ([True, False, False, True], r"\[0\]' .* is True"),
        ([[0, 2], [2, 4]], r"\[0\]' .* is \[0, 2\]"),
        (["0", "2"], r"\[0\]' .* is '0'"),
        ([0.0, 2.0], r"\[0\]' .* is 0\.0"),
        ([2, 0], r"\[1\]' .* is 0 after 2"),
        ([0, 0], r"\[1\]' .* is 0 after 0"),
        (7, "is 7: give a list"),
        ({"a": 1}, "give a list"),
    ],
)
def test_what_names_no_words_is_refused_by_name(task, field, value, says):
    kind, record = RECORDS[task]
    with pytest.raises(UserError, match=f"The field '{field}.*{says}"):
        kind().parse({**record, field: value}, "a.jsonl line 1", gold=True)


@pytest.mark.parametrize("task", RECORDS)
@pytest.mark.parametrize("value", [[], [0], [0, 3], (1, 2), np.asarray([0, 2])])
def test_numbers_of_words_are_kept(task, value):
    kind, record = RECORDS[task]
    document = kind().parse({**record, "sentence_starts": value}, "a.jsonl line 1", gold=True)
    assert document.fields["sentence_starts"] == list(value)
