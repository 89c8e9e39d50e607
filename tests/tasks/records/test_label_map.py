"""Labels of another domain's data, read as those that the task has."""

import pytest

from ctxlab.core.errors import UserError
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.ner import NER
from ctxlab.tasks.nli import NLI


def test_entity_types_are_read_as_others_and_their_borders_stay():
    task = NER(labels=["PERSON", "PLACE"], label_map={"PER": "PERSON", "LOC": "PLACE"})
    record = {"tokens": list("abcdef"), "tags": ["B-PER", "I-PER", "B-LOC", "O", "B-PERSON", "I-PERSON"]}
    document = task.parse(record, "line 1", gold=True)
    assert document.fields["tags"] == ["B-PERSON", "I-PERSON", "B-PLACE", "O", "B-PERSON", "I-PERSON"]
    task.check_labels([document])
    spans = [{"start": 0, "end": 3, "label": "PER"}]
    assert task.parse({"text": "Ann ran", "spans": spans}, "", gold=True).fields["tags"] == ["B-PERSON", "O"]


def test_labels_of_documents_are_read_as_others():
    one = Classification(labels=["good", "bad"], label_map={"1": "good", "0": "bad"})
    assert [one.parse({"text": "a", "label": label}, "", gold=True).fields["gold"] for label in (1, 0)] == [
        ("good",), ("bad",),
    ]  # fmt: skip
    two = NLI(label_map={"e": "entailment"})
    assert two.parse({"premise": "a", "hypothesis": "b", "label": "e"}, "", gold=True).fields["gold"] == ("entailment",)


def ner(label_map):
    task = NER(labels=["PERSON"], label_map=label_map)
    return task, task.parse({"tokens": ["Ann"], "tags": ["B-PER"]}, "line 1", gold=True)


def test_a_label_that_the_model_does_not_have_is_named():
    task, document = ner({"PER": "PERSN"})
    with pytest.raises(UserError, match=r"label_map has PER: PERSN, and the model does not predict PERSN: .* PERSON"):
        task.check_labels([document])


def test_a_name_that_the_data_do_not_have_is_named():
    task, document = ner({"PER": "PERSON", "PR": "PERSON"})
    with pytest.raises(UserError, match="label_map has PR, a label that no document has"):
        task.check_labels([document])


def test_a_value_that_is_no_label_is_named():
    with pytest.raises(UserError, match="label_map has PER: None: give a label"):
        NER(label_map={"PER": None})
