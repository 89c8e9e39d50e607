import pytest

from ctxlab.command.compose import compose
from ctxlab.core.data import Record
from ctxlab.data.splits import HoldOut, load_documents, set_apart
from ctxlab.tasks.ner import NER


class Memory:
    def __init__(self, **splits):
        self.splits, self.notes = splits, []

    def load(self, task_name, split, seed):
        count = self.splits.get(split)
        return count and [
            Record({"id": f"{split}{i}", "tokens": ["a"], "tags": ["O"]}, f"{split} {i}") for i in range(count)
        ]


@pytest.mark.parametrize(("total", "apart"), [(2, 1), (9, 1), (10, 1), (70, 7), (101, 10)])
def test_a_tenth_is_held_out_by_seed_and_reported(total, apart):
    one = load_documents(Memory(train=total), NER(), seed=1)
    again = load_documents(Memory(train=total), NER(), seed=1)
    ids = [d.id for d in one.train], [d.id for d in one.validation]
    assert ids == ([d.id for d in again.train], [d.id for d in again.validation])
    assert len(one.validation) == apart
    assert set(ids[0]) | set(ids[1]) == {f"train{i}" for i in range(total)}
    assert not set(ids[0]) & set(ids[1])
    assert f"{apart} of {total}" in one.notes[0]


def test_another_seed_holds_out_other_documents():
    documents = load_documents(Memory(train=100, validation=1), NER(), 1).train
    chosen = {tuple(d.id for d in set_apart(documents, seed)[1]) for seed in range(5)}
    assert len(chosen) == 5


def test_a_given_validation_split_is_left_alone():
    splits = load_documents(Memory(train=10, validation=3, test=2), NER(), 1)
    assert [len(splits.train), len(splits.validation), len(splits.test), splits.notes] == [10, 3, 2, []]


def test_one_document_and_none():
    splits = load_documents(Memory(train=1), NER(), 1)
    assert [len(splits.train), len(splits.validation)] == [1, 0]
    assert "single training document" in splits.notes[0]
    assert "data.validation_file=<file>" in splits.notes[0]
    assert "-DOCSTART-" in splits.notes[0]
    assert load_documents(Memory(test=1), NER(), 1).train == []


def test_decisions_of_a_source_are_reported():
    source = Memory(train=10, validation=3)
    source.notes = ["a.jsonl: two things were left out.", "a.jsonl: two things were left out."]
    assert load_documents(source, NER(), 1).notes == ["a.jsonl: two things were left out."]


def test_folds_redistribute_validation_and_test_documents_and_leave_training_alone():
    """Each document is used for validation in one fold and for testing in all others."""
    whole = load_documents(Memory(train=5, validation=4, test=5), NER(), 1)
    others = {document.id for document in (*whole.validation, *whole.test)}
    selecting = []
    for fold in range(3):
        splits = load_documents(Memory(train=5, validation=4, test=5), NER(), 1, HoldOut(3, fold))
        validation, test = ({document.id for document in part} for part in (splits.validation, splits.test))
        assert [document.id for document in splits.train] == [document.id for document in whole.train]
        assert validation | test == others
        assert not validation & test
        selecting += sorted(validation)
    assert sorted(selecting) == sorted(others)


def test_the_seed_of_documents_is_that_of_the_run_unless_it_is_given():
    assert compose("train", ["seed=5"]).data_seed == 5
    assert compose("train", ["seed=5", "data_seed=2"]).data_seed == 2
