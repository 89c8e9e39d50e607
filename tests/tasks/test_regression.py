"""Numbers of documents: their range, their loss and what is refused."""

import numpy as np
import pytest
import torch

from ctxlab.core.errors import UserError
from ctxlab.core.types import Document, Merged
from ctxlab.evaluation.metrics import regression
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.strategies.reading.segments import Segments
from ctxlab.strategies.reading.truncate import Truncate
from ctxlab.tasks.regression import Regression


def made(*numbers, **options):
    task = Regression(**options)
    task.learn_labels([Document(str(i), {"gold": float(n)}, "here") for i, n in enumerate(numbers)])
    return task


def encoded(task, tokenizer, number=None):
    gold = {} if number is None else {"gold": float(number)}
    return task.encode([Document("1", {"text": "one two three", **gold}, "here")], tokenizer)[0]


@pytest.mark.parametrize("number", [1, 3.5, 6, 0.25, -4, 11])
def test_the_loss_is_the_squared_error_in_halves_of_the_range(number, tokenizer):
    task = made(1, 6)
    labels = torch.from_numpy(encoded(task, tokenizer, number).labels)[None]
    loss = task.loss(torch.tensor([[0.3]]), labels)
    assert loss.weight == 1
    assert loss.total.item() == pytest.approx((0.3 - (2 * (number - 1) / 5 - 1)) ** 2, rel=1e-4)


def test_without_a_number_there_is_no_loss(tokenizer):
    labels = torch.from_numpy(encoded(made(1, 6), tokenizer).labels)[None]
    assert made(1, 6).loss(torch.tensor([[0.3]]), labels).weight == 0


@pytest.mark.parametrize(("output", "number"), [(-1.0, 1.0), (0.0, 3.5), (1.0, 6.0), (1.2, 6.5)])
def test_an_answer_has_the_unit_of_the_data(output, number, tokenizer):
    task, tokens = made(1, 6), encoded(made(1, 6), tokenizer)
    merged = Merged(np.full((len(tokens), 1), output, np.float32), np.ones(len(tokens), bool))
    document = Document("1", {"text": "one two three"}, "here")
    found = task.record(document, task.decode(document, tokens, merged))
    assert found == {"id": "1", "score": pytest.approx(number, abs=1e-5), "share_read": 1.0}


def test_a_checkpoint_knows_its_range():
    again = Regression()
    again.take_labels(made(-0.1, 2 / 3).labels)
    assert again.labels == made(-0.1, 2 / 3).labels
    with pytest.raises(UserError, match="predicts ham, spam, and task=regression needs"):
        Regression().take_labels(["ham", "spam"])


def test_a_given_range_counts():
    assert made(2, 3, low=0, high=10).labels == made(0, 10).labels
    assert made(2, 3, low=0).labels == made(0, 3).labels


@pytest.mark.parametrize("value", [None, True, "high", "nan", float("inf"), [3], 1e30])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(UserError, match=r"The field 'score' of here is .*task\.number_field="):
        Regression().parse({"text": "a", "score": value}, "here", gold=True)


def test_tables_have_numbers_as_text():
    assert Regression().parse({"text": "a", "score": " 3.5"}, "here", gold=True).fields["gold"] == 3.5


def test_one_number_teaches_nothing():
    with pytest.raises(UserError, match="go from 4 to 4, and a regression needs at least two different numbers"):
        made(4, 4)


def test_the_baseline_is_the_mean_of_the_training_documents():
    documents = [Document(str(i), {"gold": float(n)}, "here") for i, n in enumerate((1, 2, 6))]
    (found,) = made(1, 2, 6).baselines(documents, documents[:2]).values()
    assert [one.answer.number for one in found] == [3.0, 3.0]


@pytest.mark.parametrize(("reading", "room"), [(Truncate(), 99), (Chunk(), 3), (Chunk(1, "mean"), 3),
                                               (Segments(window=3), 6)])  # fmt: skip
def test_a_perfect_model_is_perfect_under_every_reading_that_covers(reading, room, tokenizer):
    task = made(1, 2, 6)
    documents = [Document(str(n), {"text": "the town time " * n, "gold": float(n)}, "here") for n in (1, 2, 6)]
    predictions = []
    for document, tokens in zip(documents, task.encode(documents, tokenizer), strict=True):
        windows = reading.windows(tokens, 2 + room)
        outputs = [np.full((len(w), 1), 2 * (document.fields["gold"] - 1) / 5 - 1, np.float32) for w in windows]
        predictions.append(task.decode(document, tokens, reading.merge(windows, outputs, len(tokens))))
    found = regression.score(documents, predictions)
    assert found.metrics == pytest.approx({"mse": 0, "pearson": 1, "spearman": 1, "quadratic_kappa": 1}, abs=1e-6)
