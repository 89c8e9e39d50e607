"""Columns of labels: missing gold, indicator vectors, and two spellings of one label. Worked out by hand."""

import json
import math

import pytest

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.nli import NLI


def gold(task, *labels, field="label"):
    """The gold that the task reads from records with these labels, and all of its classes."""
    more = {"premise": "p", "hypothesis": "h"} if isinstance(task, NLI) else {"text": "x"}
    records = [Record({**more, field: label}, f"a.jsonl line {n}") for n, label in enumerate(labels, start=1)]
    documents = [task.parse(r.fields, r.origin, gold=True) for r in task.admit(records, gold=True)]
    task.learn_labels(documents)
    return [document.fields["gold"] for document in documents]


def one(*names):
    return [(name,) for name in names]


@pytest.mark.parametrize(
    ("task", "labels", "left"),
    [
        (NLI(), [0, 1, -1, 2], one("0", "1", "2")),
        (NLI(), ["0", "1", "-1", "2"], one("0", "1", "2")),
        (NLI(), ["a", "-", "b", " - "], one("a", "b")),
        (NLI(), ["a", None, "b"], one("a", "b")),
        (NLI(), [0.0, math.nan, 1.0], one("0", "1")),
        (Classification(), ["a", "-", "b", None], one("a", "b")),
        (Classification(), ["a", "", "b", " "], one("a", "b")),
    ],
)
def test_records_without_a_gold_label_are_left_out_and_reported(task, labels, left):
    assert gold(task, *labels) == left
    (note,) = task.notes
    assert note.startswith(f"{len(labels) - len(left)} of {len(labels)} records have no gold label in 'label'")


@pytest.mark.parametrize(
    ("task", "labels"),
    [
        (Classification(), [-1, 1, 1]),
        (Classification(), [-2, -1, 0, 1]),
        (Classification(labels=[-1, 0, 1]), [-1, 0, 1]),
        (Classification(), ["+", "-", "+"]),
        (Classification(labels=["-", "x"]), ["-", "x"]),
        (Classification(), [True, False]),
    ],
)
def test_a_class_of_that_name_stays(task, labels):
    assert [name for (name,) in gold(task, *labels)] == [
        json.dumps(v) if isinstance(v, bool) else str(v) for v in labels
    ]
    assert task.notes == []


def test_an_ambiguous_minus_one_is_refused_with_both_solutions():
    with pytest.raises(UserError, match=r"-1 in the field 'label' of a\.jsonl line 3.*task\.labels=\[-1,0,1\].*remove"):
        gold(Classification(), 0, 1, -1)


def test_a_file_without_any_gold_label_is_refused():
    with pytest.raises(UserError, match=r"No record from a\.jsonl line 1 on has a gold label"):
        gold(NLI(), -1, -1)


PLACES = [[1, 0, 1], [0, 0, 0], [1, 0, 0]]


@pytest.mark.parametrize("kind", [int, bool, float])
def test_zeros_and_ones_are_indicator_vectors(kind):
    task = Classification(multi_label=True)
    labels = [[kind(value) for value in row] for row in PLACES]
    assert gold(task, *labels, field="labels") == [("0", "2"), (), ("0",)]
    assert task.labels == ["0", "1", "2"]  # the second, which no document has, keeps its place
    (note,) = task.notes
    assert "lists of 3 zeros and ones" in note
    named = Classification(multi_label=True, labels=["a", "b", "c"])
    assert gold(named, *labels, field="labels") == [("a", "c"), (), ("a",)]


def test_indicator_vectors_of_two_and_of_other_lengths():
    task = Classification(multi_label=True)
    assert gold(task, [1, 0], [0, 1], field="labels") == one("0", "1")
    assert gold(task, [0, 1], [0, 1], field="labels") == one("1", "1")
    with pytest.raises(UserError, match=r"lists of 2 zeros and ones.*line 1 has another number"):
        gold(task, [0, 1, 1], field="labels")
    with pytest.raises(UserError, match=r"task\.labels lists 3"):
        gold(Classification(multi_label=True, labels=["a", "b", "c"]), [1, 0], [0, 0], field="labels")


@pytest.mark.parametrize("labels", [[[0, 2], [1]], [[0, 1], [0, 1]], [["a"], ["a", "b"]], [[0], [1], []]])
def test_lists_of_classes_stay_lists_of_classes(labels):
    task = Classification(multi_label=True)
    assert gold(task, *labels, field="labels") == [tuple(map(str, row)) for row in labels]
    assert task.notes == []


def test_white_space_and_unicode_forms_make_no_new_class():
    task = Classification()
    assert gold(task, "ham", "ham ", "\u00a0ham", "caf\u00e9", "cafe\u0301") == one("ham", "ham", "ham", "café", "café")
    assert "white space" in task.notes[0]
    assert Classification(labels=["ham ", "spam"]).labels == ["ham", "spam"]


def test_capitals_make_a_class_and_are_reported():
    task = Classification()
    assert gold(task, "HAM", "ham") == one("HAM", "ham")
    assert "'HAM' and 'ham' in 'label' differ in case only" in task.notes[0]


def test_whole_numbers_however_written_and_no_fractions():
    assert gold(Classification(), 0.0, 1.0, 1) == one("0", "1", "1")
    with pytest.raises(UserError, match=r"type float \(0\.5\).*predicts classes"):
        gold(Classification(), 0.5, 1.0)


def test_a_note_is_said_once_for_splits_that_are_alike():
    task = NLI()
    gold(task, 0, 1, -1)
    gold(task, 0, 1, -1)
    assert len(task.notes) == 1
