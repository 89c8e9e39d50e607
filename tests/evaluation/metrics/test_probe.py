"""Recall and effective context against hand-worked cases and published figures."""

import pytest

from ctxlab.core.types import Document, Prediction
from ctxlab.evaluation.metrics.probe_recall import effective_context, recall, score
from ctxlab.tasks.records.probes import Reply


@pytest.mark.parametrize(
    ("answer", "wanted", "every", "value"),
    [
        ("The numbers are 12345 and 777.", ["12345", "777"], True, 1.0),
        ("The numbers are 12345 and 77.", ["12345", "777"], True, 0.5),
        ("alpha", ["ALPHA", "beta", "gamma", "delta"], True, 0.25),
        ("", ["a"], True, 0.0),
        ("PARIS, France", ["paris"], True, 1.0),
        ("it was Rome", ["Paris", "rome"], False, 1.0),
        ("it was Oslo", ["Paris", "rome"], False, 0.0),
        ("123456", ["234"], True, 1.0),  # a substring, as in RULER
    ],
)
def test_recall_by_hand(answer, wanted, every, value):
    assert recall(answer, wanted, every=every) == value


def test_effective_context_of_llama_3_1_8b_as_ruler_publishes_it():
    averages = (95.5, 93.8, 91.6, 87.4, 84.7, 77.0)
    assert effective_context({4096 << i: average / 100 for i, average in enumerate(averages)}) == 32768


def test_effective_context_is_the_longest_that_passes_and_0_without_one():
    assert effective_context({64: 0.5, 128: 0.9, 256: 0.2}) == 128
    assert effective_context({64: 0.9, 128: 0.5, 256: 0.856}) == 256
    assert effective_context({64: 0.5}) == 0


def case(name, answers, said, length, depth, seen=True, choices=0, every=True):
    fields = {"answers": answers, "all": every, "length": length, "depth": depth}
    return Document(name, fields, name), Prediction(name, Reply(said, 2 * length, choices), [seen])


def scored(*cases):
    documents, predictions = zip(*cases, strict=True)
    return score(documents, predictions)


def test_breakdowns_by_hand():
    found = scored(
        case("a", ["x", "y"], "x", 64, 0.0),
        case("b", ["x"], "x", 64, 1.0),
        case("c", ["x"], "x", 128, 0.0),
        case("d", ["x"], "y", 128, 1.0, seen=False),
        case("e", ["x", "z"], "z", 128, 1.0, every=False),
    )
    assert found.metrics == {"recall": pytest.approx(3.5 / 5), "effective_context": 0.0}
    assert found.coverage_labels == 0.8
    tables = {table.name: table for table in found.tables}
    assert [row[:4] for row in tables["by_length"].rows] == [(64, 128, 2, 0.75), (128, 256, 3, pytest.approx(2 / 3))]
    assert [row[:3] for row in tables["by_depth"].rows] == [(0.0, 2, 0.75), (1.0, 3, pytest.approx(2 / 3))]
    cells = {row[:2]: row[2:4] for row in tables["by_length_and_depth"].rows}
    assert cells == {(64, 0.0): (1, 0.5), (64, 1.0): (1, 1.0), (128, 0.0): (1, 1.0), (128, 1.0): (2, 0.5)}
    several = [row for table in found.tables for row in table.rows if row[-4] > 1]
    assert all(row[-2] <= row[-3] <= row[-1] for row in several)
    alone = [row for table in found.tables for row in table.rows if row[-4] == 1]
    assert len(alone) == 3
    assert all(row[-2:] == (None, None) for row in alone)


def test_perfect_answers_score_1_and_empty_ones_0():
    for said, value in (("yes", 1.0), ("", 0.0)):
        found = scored(*(case(str(n), ["yes"], said, n, None) for n in (64, 128)))
        assert found.metrics == {"recall": value, "effective_context": 128 * value}
        assert {table.name for table in found.tables} == {"overall", "by_length"}


def test_notes_tell_what_falls_out_and_what_chance_gives():
    found = scored(case("a", ["x"], "", 64, 0.5, choices=10), case("b", ["x"], "x", 128, 0.5, choices=10))
    assert found.notes == [
        "Effective context: 128 words (256 tokens), the longest length with a recall of at least 85.6%, "
        "although 64 fall below it.",
        "An answer chosen at random is right in 10.0% of the documents.",
    ]
