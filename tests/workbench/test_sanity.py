"""Sanity notes: each appears on a case worked out by hand, and not on a neighbouring one."""

from dataclasses import replace

import numpy as np
import pytest

from ctxlab.core.types import Document, Encoded, Table
from ctxlab.data.splits import Splits
from ctxlab.optim.schedules.constant import Constant
from ctxlab.optim.schedules.linear import Linear
from ctxlab.training.budget import Budget
from ctxlab.training.state import TrainState
from ctxlab.workbench import sanity


def encoded(*ids, query=()):
    return Encoded(np.array(ids), np.arange(len(ids)), np.zeros(len(ids), int), (1,), (2,), query)


def documents(count):
    return [Document(f"d{i}", {}, "here") for i in range(count)]


def splits(train=3, validation=2, test=0):
    return Splits(documents(train), documents(validation), documents(test))


def notes(length=16, made=None, **given):
    return sanity.of_documents(made or splits(), given, length)


LONG = encoded(*range(20))


def test_documents_that_differ_in_their_numbers_alone_are_others():
    """Pixels of all images are the same token."""
    images = [replace(encoded(3, 3), numbers=np.array([[shade], [0.5]], np.float32)) for shade in (0.1, 0.2)]
    assert notes(length=2, train=images[:1], validation=images[1:]) == []
    (note,) = notes(length=2, train=images[:1], validation=images)
    assert note.startswith("1 of 2 validation documents are training documents too")


def test_documents_that_are_scored_and_trained_on_are_counted():
    train = [encoded(5, 6, 7), encoded(8, 9), LONG]
    (note,) = notes(train=train, validation=[encoded(8, 9), encoded(9, 8)])
    assert note.startswith("1 of 2 validation documents are training documents too")
    twice = notes(train=train, validation=train, test=train[:1])
    assert [one[:15] for one in twice] == ["3 of 3 validati", "1 of 1 test doc"]
    assert notes(train=train, validation=[encoded(8, 9, query=(4,)), LONG][:1]) == []  # another question about it


def test_a_split_of_one_document_is_named():
    train = [LONG]
    (note,) = notes(made=splits(validation=1, test=2), train=train)
    assert note.startswith("The validation split has a single document: its figures have no interval")
    questions = [Document(f"q{i}", {"group": "one"}, "here") for i in range(4)]
    assert len(sanity.single("test", questions)) == 1
    assert sanity.single("test", []) == sanity.single("test", documents(2)) == []


@pytest.mark.parametrize(("length", "said"), [(23, True), (22, False), (16, False)])
def test_a_context_longer_than_every_document_is_named(length, said):
    """Twenty tokens and two special ones: 22 are filled, 23 are not."""
    found = notes(length=length, train=[encoded(1), LONG], validation=[encoded(1, 2)])
    assert bool(found) == said
    if said:
        assert "context.length=23 is longer than every document (the longest has 22 tokens)" in found[0]


def ended(budget=Budget(max_steps=100), schedule=Constant(0.0), length=64, **state):  # noqa: B008
    return sanity.of_training(
        TrainState(**{"step": 100, "length": 64, "seconds": 2.0, **state}), budget, schedule, length
    )


def test_a_single_step_names_the_limit_that_allowed_no_more():
    (note,) = ended(Budget(max_seconds=0.001, max_steps=5), step=1)
    assert note == "Training was a single step of 2 seconds, because trainer.max_seconds=0.001 allows no more."
    (note,) = ended(Budget(max_steps=1), step=1)
    assert "trainer.max_steps=1 allows no more" in note
    assert ended(step=2) == []


def test_a_first_step_without_a_learning_rate_is_named_where_steps_are_few():
    (note,) = ended(schedule=Linear(0.1), step=4)
    assert note.endswith("so that 3 of 4 steps changed the weights.")
    assert ended(schedule=Linear(0.1), step=100) == ended(schedule=Linear(0.0), step=4) == []


def test_a_curriculum_that_did_not_come_to_its_end_is_named():
    (note,) = ended(length=256)
    assert "ended at a context of 64 tokens and never reached context.length=256" in note


COLUMNS = ("words to the evidence", "mentions", "accuracy", "low", "high")


def table(*rows, chance=0.25):
    return Table("by_evidence", "Type of mentions", COLUMNS, rows, chance=chance)


def test_scores_at_chance_are_named_only_where_the_context_is_needed():
    guessed = [("1-16", 30, 0.2, 0.1, 0.3), ("17-64", 10, 0.4, 0.2, 0.6)]
    (note,) = sanity.at_chance("test", [table(*guessed)])
    assert note == (
        "Where the context is needed (type of mentions), accuracy on the test split is 0.25 over 40 mentions, which "
        "does not differ from chance (0.25)."
    )
    known = ("65-256", 10, 0.9, 0.7, 1.0)
    assert sanity.at_chance("test", [table(*guessed, known)]) == []
    assert sanity.at_chance("test", [table(*guessed, chance=None), table()]) == []
    assert len(sanity.at_chance("test", [table(("1-16", 3, 1.0, None, None))])) == 1  # no interval, no evidence
