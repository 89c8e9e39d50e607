"""The probe task: records are checked, answers chosen or marked."""

import re

import numpy as np
import pytest
import torch

from ctxlab.config import catalogue
from ctxlab.core.errors import UserError
from ctxlab.core.types import NO_LABEL, Merged
from ctxlab.data.sources.generated import Generated
from ctxlab.evaluation.metrics.probe_recall import score
from ctxlab.models.loading.tiny import make_tokenizer
from ctxlab.tasks.probe import Probe

RECORD = {"id": "a", "text": "The key is 12. Go on.", "question": "What is the key?", "answers": ["12"]}


def generated(documents, seed=1, **probe):
    return [record.fields for record in Generated(documents, probe=probe).load("probe", "train", seed)]


def encoded(task, record):
    document = task.parse(record, "here", gold=True)
    task.learn_labels([document])
    (tokens,) = task.encode([document], make_tokenizer())
    return document, tokens


def test_marked_tokens_are_those_of_the_answers():
    tokenizer = make_tokenizer()
    for name in ("needle", "variable_tracking", "common_words", "frequent_words"):
        options = {"kind": "multi_value"} if name == "needle" else {}
        (record,) = generated(1, seed=3, name=name, lengths=[128], **options)
        document, tokens = encoded(Probe("marking"), record)
        marked = [tokenizer.decode(tokens.input_ids[tokens.word_ids == word]) for word in
                  dict.fromkeys(tokens.word_ids[tokens.labels == 1].tolist())]  # fmt: skip
        found = {re.sub(r"\W", "", text) for text in marked}
        assert found == set(record["answers"])
        assert document.fields["asked"] == len(record["answers"])
        assert not (tokens.labels == NO_LABEL).any()


def test_answers_without_places_are_found_in_the_text():
    document = Probe("marking").parse(RECORD | {"text": "12 and 120 are 12"}, "here", gold=True)
    assert document.fields["spans"] == [[0, 2], [15, 17]]
    assert document.fields["length"] == 8
    with pytest.raises(UserError, match=re.escape("The answer '13' of here is not in its text")):
        Probe("marking").parse(RECORD | {"answers": ["13"]}, "here", gold=True)


@pytest.mark.parametrize("wanted", [1, 2, 3])
def test_as_many_words_are_answered_as_the_question_asks_for(wanted):
    """Also where everything has the same score, so that marking everything gains nothing."""
    task = Probe("marking")
    record = RECORD | {"text": "one two, Two three four", "answers": ["one", "two", "three"][:wanted]}
    document, tokens = encoded(task, record)
    for scores in (np.zeros((len(tokens), 1)), np.where(tokens.labels == 1, 5.0, 0.0)[:, None]):
        merged = Merged(scores.astype(np.float32), np.ones(len(tokens), np.bool_))
        said = task.decode(document, tokens, merged).answer.text.lower().split(", ")
        assert len(said) == len(set(said)) == wanted
    assert set(said) == set(record["answers"])


def test_without_seen_tokens_nothing_is_answered():
    for form in ("marking", "classification"):
        task = Probe(form, labels=None if form == "marking" else ["12", "13"])
        document, tokens = encoded(task, RECORD | {"spans": [[11, 13]]})
        outputs = np.zeros((len(tokens), 1 if form == "marking" else 2), np.float32)
        prediction = task.decode(document, tokens, Merged(outputs, np.zeros(len(tokens), np.bool_)))
        assert (prediction.answer.text, list(prediction.seen)) == ("", [False])


def test_the_closed_list_is_learned_completely_and_in_order():
    task = Probe()
    task.learn_labels([task.parse(RECORD | {"choices": ["7", "12", "100"]}, "here", gold=True)])
    assert task.labels == ["7", "12", "100"]
    document, tokens = encoded(task, RECORD | {"choices": ["7", "12", "100"]})
    assert set(tokens.labels.tolist()) == {1}
    outputs = np.tile(np.asarray([0, 0, 9], np.float32), (len(tokens), 1))
    reply = task.decode(document, tokens, Merged(outputs, np.ones(len(tokens), np.bool_))).answer
    assert (reply.text, reply.num_choices) == ("100", 3)


def test_loss_of_marks_is_the_cross_entropy_against_even_shares():
    """By hand: window 1 has two marked of three places, window 2 none, so that its first place is right."""
    labels = torch.tensor([[NO_LABEL, 1, 1, 0], [NO_LABEL, 0, 0, NO_LABEL]])
    outputs = torch.tensor([[[0.5], [1.0], [2.0], [-1.0]], [[0.3], [0.1], [0.0], [50.0]]], dtype=torch.float64)
    first = np.log(np.exp([0.5, 1, 2, -1]).sum()) - 1.5
    second = np.log(np.exp([0.3, 0.1, 0.0]).sum()) - 0.3
    loss = Probe("marking").loss(outputs, labels)
    assert float(loss.total) == pytest.approx(first + second, abs=1e-6)
    assert int(loss.weight) == 2


@pytest.mark.parametrize(
    ("form", "change", "sentence"),
    [
        ("marking", {"question": " "}, "The field 'question' of f line 1 is of type str"),
        ("marking", {"question": None}, "The field 'question' of f line 1 is empty"),
        ("marking", {"answers": []}, "The field 'answers' of f line 1 is empty: give a list of texts."),
        ("marking", {"answers": "12"}, "The field 'answers' of f line 1 is of type str"),
        ("marking", {"answers": ["12", ""]}, "has ''"),
        ("marking", {"spans": [[3, 99]]}, "has [3, 99], which is not a span of its 21 characters"),
        (
            "classification",
            {"answers": ["12", "13"]},
            "has 2 answers, and task.form=classification chooses exactly one",
        ),
        ("marking", {"text": " "}, "is an empty text"),
    ],
)
def test_bad_records_are_named(form, change, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        Probe(form).parse(RECORD | change, "f line 1", gold=True)


def test_a_record_of_another_task_is_named():
    with pytest.raises(UserError, match="it looks like a record for task=classification"):
        Probe().parse({"text": "a", "label": "b"}, "f line 1", gold=True)


def test_a_form_that_does_not_exist():
    with pytest.raises(UserError, match="form=span is not known"):
        Probe("span")


def test_plain_questions_are_enough_for_prediction():
    fields = Probe("marking").parse({"text": "a b", "question": "what?", "asked": 2}, "here", gold=False).fields
    assert (fields["asked"], fields["spans"], "answers" in fields) == (2, [], False)


@pytest.mark.parametrize("name", catalogue.options("probe"))
def test_a_perfect_model_scores_1_under_full_view_and_nothing_when_nothing_is_seen(name):
    form = catalogue.read(catalogue.option_file("probe", name))["form"]
    task = Probe(form)
    records = generated(4, name=name, lengths=[160])
    documents = [task.parse(record, "here", gold=True) for record in records]
    task.learn_labels(documents)
    task.check_labels(documents)
    encoded = task.encode(documents, make_tokenizer())
    for seen, recall in ((True, 1.0), (False, 0.0)):
        predictions = []
        for document, tokens in zip(documents, encoded, strict=True):
            size = len(task.labels)
            outputs = 9 * (tokens.labels[:, None] == (np.arange(size) if form == "classification" else 1))
            merged = Merged(outputs.astype(np.float32), np.full(len(tokens), seen))
            predictions.append(task.decode(document, tokens, merged))
        found = score(documents, predictions)
        assert found.metrics == {"recall": recall, "effective_context": 160 * recall}
        assert found.coverage_labels == seen
