"""The base of tasks that label every word: NER is one, others need only the names of their labels."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ctxlab.core.errors import UserError
from ctxlab.core.types import NO_LABEL, Merged
from ctxlab.models.tiny_bert import TinyBert
from ctxlab.tasks.forms.token_labeller import TokenLabeller


class Tones(TokenLabeller):
    """As short as a task of this form can be."""

    name = "tones"
    metric = "entities"
    primary_metric = "f1"


RECORD = {"id": "a", "tokens": ["la", "cathedral", "la"], "tags": ["low", "high", "low"]}


@pytest.fixture
def task():
    return Tones()


@pytest.fixture
def read(task):
    """The document, its tokens, and the first token of each word."""
    document = task.parse(RECORD, "line 1", gold=True)
    task.learn_labels([document])
    encoded = task.encode([document], TinyBert().tokenizer())[0]
    return document, encoded, np.flatnonzero(np.diff(encoded.word_ids, prepend=-1))


def test_the_first_token_of_a_word_has_its_label_and_the_others_none(task, read):
    _, encoded, first = read
    assert task.labels == ["high", "low"]
    assert len(encoded) > 3, "a word of several tokens"
    assert encoded.labels[first].tolist() == [1, 0, 1]
    assert set(np.delete(encoded.labels, first)) == {NO_LABEL}


def test_a_word_that_was_not_seen_has_no_label(task, read):
    document, encoded, first = read
    outputs, seen = np.zeros((len(encoded), 2), np.float32), np.ones(len(encoded), bool)
    outputs[first[1], 0] = 1  # "high"
    outputs[first[[0, 2]], 1] = 1  # "low"
    seen[first[2]] = False
    prediction = task.decode(document, encoded, Merged(outputs, seen))
    assert prediction.answer == ["low", "high", ""]
    assert prediction.seen == [True, True, False]
    assert task.record(document, prediction) == RECORD | {"tags": ["low", "high", ""]}


def test_every_label_has_the_same_weight(task):
    outputs, labels = torch.tensor([[[2.0, 0.0], [0.0, 1.0], [5.0, 5.0]]]), torch.tensor([[0, 0, NO_LABEL]])
    loss = task.loss(outputs, labels)
    by_hand = np.log(1 + np.exp(-2)) + np.log(1 + np.exp(1))
    assert loss.total.item() == pytest.approx(by_hand, rel=1e-6)
    assert loss.weight.item() == 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"tags": ["low", "high"]}, "3 in 'tokens' and 2 in 'tags': give one tag per word"),
        ({"tags": ["low", "", "low"]}, r"The tag '' of word 1 \('cathedral'\) of line 1 is not a label"),
        ({"tags": ["low", 3, "low"]}, "The tag 3 of word 1"),
        ({"tags": "low"}, "give a list with one entry per word"),
    ],
)
def test_mistakes_are_named(task, change, sentence):
    with pytest.raises(UserError, match=sentence):
        task.parse(RECORD | change, "line 1", gold=True)


def test_a_label_that_the_model_does_not_have_is_refused(task, read):
    document = replace(read[0], fields={**read[0].fields, "tags": ["low", "rising", "low"]})
    task.check_labels([read[0]])
    with pytest.raises(UserError, match=r"'rising'.*task.labels=\[high,low,rising\]"):
        task.check_labels([document])


def test_plain_text_is_split_for_prediction_and_given_labels_stay():
    task = Tones(labels=["x"])
    document = task.parse({"id": "a", "text": "la, la"}, "line 1", gold=False)
    assert document.fields["tokens"] == ["la", ",", "la"]
    task.learn_labels([Tones().parse(RECORD, "line 1", gold=True)])
    assert task.labels == ["x"]
