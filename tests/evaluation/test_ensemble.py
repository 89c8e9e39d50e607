"""The mean of opinions, against numpy, and why one takes it: its log loss is never above the mean of log losses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ctxlab.core.errors import UserError
from ctxlab.core.types import Document, Encoded, Merged, Opinion, Prediction
from ctxlab.evaluation.ensemble import Voter, mean_opinion, predict_together
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.forms.combine import softmax
from ctxlab.tasks.lm import LM
from ctxlab.tasks.ner import NER
from ctxlab.tasks.qa import QA

NAMES = ("first", "second", "third")
LOGITS = arrays.arrays(np.float32, (3, 4, 5), elements=st.floats(-30, 30, width=32))


def opinion(probabilities, seen=None, names="abcde", tokens=None):
    probabilities = np.asarray(probabilities, np.float64)
    seen = np.ones(len(probabilities), bool) if seen is None else np.asarray(seen)
    return Opinion(probabilities, seen, tuple(names[: probabilities.shape[1]]), tokens)


@given(LOGITS, st.lists(st.integers(0, 4), min_size=4, max_size=4))
def test_the_log_loss_of_the_mean_is_never_above_the_mean_log_loss(logits, gold):
    given = [opinion(softmax(one)) for one in logits]
    of_mean = -np.log(mean_opinion(given, NAMES).probabilities[np.arange(4), gold])
    each = [-np.log(one.probabilities[np.arange(4), gold]) for one in given]
    assert (of_mean <= np.mean(each, axis=0) + 1e-9).all()


@given(LOGITS)
def test_the_mean_is_a_distribution_and_that_of_one_is_its_own(logits):
    given = [opinion(softmax(one)) for one in logits]
    np.testing.assert_allclose(mean_opinion(given, NAMES).probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(mean_opinion(given[:1], NAMES[:1]).probabilities, given[0].probabilities)


def test_labels_are_matched_by_name_and_unseen_units_do_not_count():
    first = opinion([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5]], [True, True, False], "ab")
    other = opinion([[0.3, 0.7], [0.8, 0.2], [0.5, 0.5]], [True, False, False], "ba")
    mean = mean_opinion([first, other], NAMES[:2])
    np.testing.assert_allclose(mean.probabilities[:2], [[0.8, 0.2], [0.4, 0.6]])
    assert mean.seen.tolist() == [True, True, False]
    assert mean.names == ("a", "b")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (opinion([[1.0, 0.0]], names="ac"), "different labels"),
        (opinion([[1.0, 0.0], [1.0, 0.0]], names="ab"), "divide a document differently"),
        (opinion([[1.0, 0.0]], names="ab", tokens=np.array([7])), "divide a document differently"),
    ],
)
def test_what_has_no_mean_is_refused(other, said):
    with pytest.raises(UserError, match=said):
        mean_opinion([opinion([[1.0, 0.0]], names="ab", tokens=np.array([3])), other], ["run-1", "run-2"])


class Given:
    """A reader whose outputs are given."""

    def __init__(self, outputs, seen):
        self.merged = Merged(np.asarray(outputs, np.float32), np.asarray(seen))

    def read(self, encoded, done):
        for document in encoded:
            done(len(document))
            yield self.merged


def voter(name, task, words, outputs, seen=None):
    """One document whose tokens belong to ``words``."""
    count = len(words)
    encoded = Encoded(np.arange(count), np.asarray(words), np.zeros(count, np.int64))
    reader = Given(outputs, [True] * count if seen is None else seen)
    return Voter(name, reader, task, documents=[Document("d", {"tokens": ["w"] * 2}, "d")], encoded=[encoded])


def tagger(*types):
    return NER(list(types))


def test_words_are_decided_together_whatever_the_tokenizers():
    """The first model has three tokens, the other two; labels in another order. By hand: 0.6 + 0.2 < 0.4 + 0.8."""
    first, other = tagger("PER"), tagger("PER")
    assert first.labels == ["O", "B-PER", "I-PER"]
    other.labels = ["B-PER", "O", "I-PER"]
    sure = np.log([[0.6, 0.3, 0.1], [0.1, 0.1, 0.8], [0.1, 0.1, 0.8]])
    unsure = np.log([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1]])
    voters = [voter("a", first, [0, 0, 1], sure), voter("b", other, [0, 1], unsure)]
    read = []
    (found, merged), = predict_together(voters, read.append)  # fmt: skip
    assert read == [3, 2]
    # Word 0: O (0.6 + 0.2) / 2, B (0.3 + 0.7) / 2; word 1: O (0.1 + 0.4), B (0.1 + 0.5), I (0.8 + 0.1) / 2.
    assert found.answer == ["B-PER", "I-PER"]
    assert [voters[0].alone[0].answer, voters[1].alone[0].answer] == [["O", "B-PER"], ["B-PER", "B-PER"]]
    assert merged is voters[0].reader.merged


def test_a_word_that_one_model_never_read_is_decided_by_the_other():
    first, other = tagger("PER"), tagger("PER")
    outputs = np.log([[0.9, 0.05, 0.05], [0.9, 0.05, 0.05]])
    entity = np.log([[0.1, 0.8, 0.1], [0.1, 0.8, 0.1]])
    voters = [voter("a", first, [0, 1], outputs, [True, False]), voter("b", other, [0, 1], entity, [False, True])]
    (found, merged), = predict_together(voters)  # fmt: skip
    assert found.answer == ["O", "B-PER"]
    assert found.seen == [True, True]
    assert merged.seen.all()


def test_documents_are_decided_by_the_mean_of_their_probabilities():
    tasks = [Classification(["x", "y"]), Classification(["x", "y"])]
    given = [np.log([[0.9, 0.1]] * 2), np.log([[0.3, 0.7]] * 3)]
    voters = [voter(*row) for row in zip("ab", tasks, ([0, 1], [0, 1, 2]), given, strict=True)]
    (found, _), = predict_together(voters)  # fmt: skip
    np.testing.assert_allclose(found.answer.probabilities, [0.6, 0.4], rtol=1e-6)
    assert found.answer.chosen == ("x",)


@pytest.mark.parametrize("task", ["ner", "classification", "lm"])
def test_an_ensemble_of_one_answers_as_that_one(task):
    draw = np.random.default_rng(5)
    if task == "lm":
        model = LM()
        model._vocabulary_size = 10
        outputs = np.stack([draw.uniform(0, 5, 6), draw.integers(0, 2, 6)], axis=-1)
    else:
        model = tagger("PER", "LOC") if task == "ner" else Classification(["x", "y", "z"])
        outputs = draw.normal(size=(6, len(model.labels)))
    one = voter("a", model, [0, 0, 1, 2, 2, 3], outputs, [True] * 5 + [False])
    places = np.arange(6)
    one = Voter("a", one.reader, model, one.documents, [
        Encoded(np.arange(6), one.encoded[0].word_ids, np.zeros(6, np.int64), starts=places, ends=places + 1)
    ])  # fmt: skip
    (found, _), = predict_together([one])  # fmt: skip
    assert_equal(found, one.alone[0])


def assert_equal(found: Prediction, expected: Prediction):
    if isinstance(found.answer, list):
        assert found == expected
        return
    for name in type(expected.answer).__slots__:
        one, other = getattr(found.answer, name), getattr(expected.answer, name)
        if isinstance(one, np.ndarray) and one.dtype.kind == "f":
            np.testing.assert_allclose(one, other, rtol=1e-6, err_msg=name)
        elif isinstance(one, np.ndarray):
            assert (one == other).all(), name


def test_a_task_without_a_fixed_set_of_answers_is_refused():
    task = QA()
    with pytest.raises(UserError, match="task=qa has no answers that can be averaged"):
        list(predict_together([voter("a", task, [0], np.zeros((1, 2)))]))
